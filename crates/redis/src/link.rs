//! A connection, to a server or to all servers of a cluster.

use std::collections::HashMap;

use deadpool_redis::{
    cluster::ClusterConnection,
    redis::{
        Cmd, FromRedisValue as _, Pipeline, RedisFuture, RedisResult, Value,
        aio::{ConnectionLike, MultiplexedConnection},
        cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo, SingleNodeRoutingInfo},
        cmd,
    },
};

/// A connection that any number of commands go through at once. Its clones are the same one.
#[derive(Clone)]
pub(crate) enum Link {
    /// To one server.
    Alone(MultiplexedConnection),
    /// To the servers of a cluster.
    Cluster(ClusterConnection),
}

/// One of the servers at the other end: where it is, or nothing where there is only one.
pub(crate) type Node = Option<(String, u16)>;

impl Link {
    /// The servers that keys are on.
    pub(crate) async fn nodes(&mut self) -> RedisResult<Vec<Node>> {
        let Self::Cluster(cluster) = self else {
            return Ok(vec![None]);
        };
        let all = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
        let answers = cluster.route_command(cmd("PING"), all).await?;
        let answers: HashMap<String, String> = HashMap::from_redis_value(answers)?;
        let place = |address: &String| {
            let (host, port) = address.rsplit_once(':')?;
            Some((host.to_owned(), port.parse().ok()?))
        };
        Ok(answers.keys().filter_map(place).map(Some).collect())
    }

    /// Asks one of the servers.
    pub(crate) async fn ask(&mut self, node: &Node, command: Cmd) -> RedisResult<Value> {
        match (self, node) {
            (Self::Cluster(cluster), Some((host, port))) => {
                let node = SingleNodeRoutingInfo::ByAddress {
                    host: host.clone(),
                    port: *port,
                };
                let routing = RoutingInfo::SingleNode(node);
                cluster.route_command(command, routing).await
            }
            (link, _) => command.query_async(link).await,
        }
    }
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Alone(connection) => connection.req_packed_command(command),
            Self::Cluster(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Alone(connection) => connection.req_packed_commands(commands, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(commands, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Alone(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}
