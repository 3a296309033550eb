//! What the owner of a database can do to it behind the server's back.

use std::path::PathBuf;

use diesel::{
    Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection,
    connection::SimpleConnection as _, sql_query, sql_types::Text,
};
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// The owner of a server's database.
pub(crate) enum Owner {
    /// Of a file.
    Sqlite(PathBuf),
    /// Of a Postgres, by its URL.
    Postgres(String),
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    text: String,
}

impl Owner {
    /// Runs statements.
    pub(crate) async fn run(&self, sql: &str) {
        match self {
            Self::Sqlite(_) => self.open().batch_execute(sql).unwrap(),
            Self::Postgres(_) => drop(self.send(sql).await),
        }
    }

    /// What the column `text` of a query says.
    pub(crate) async fn ask(&self, sql: &str) -> Vec<String> {
        match self {
            Self::Sqlite(_) => {
                let rows: Vec<Row> = sql_query(sql).load(&mut self.open()).unwrap();
                rows.into_iter().map(|row| row.text).collect()
            }
            Self::Postgres(_) => {
                let rows = self.send(sql).await.into_iter();
                let text = |message| match message {
                    SimpleQueryMessage::Row(row) => row.get("text").map(ToOwned::to_owned),
                    _ => None,
                };
                rows.filter_map(text).collect()
            }
        }
    }

    /// An id, as SQL has it.
    pub(crate) fn id(&self, id: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("X'{}'", id.replace('-', "")),
            Self::Postgres(_) => format!("'{id}'::uuid"),
        }
    }

    /// The ids in a column, without hyphens.
    pub(crate) fn text(&self, column: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("lower(hex({column})) AS text"),
            Self::Postgres(_) => format!("replace({column}::text, '-', '') AS text"),
        }
    }

    fn open(&self) -> SqliteConnection {
        let Self::Sqlite(path) = self else {
            unreachable!("it is a file");
        };
        let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        let patience = "PRAGMA busy_timeout = 5000";
        connection.batch_execute(patience).unwrap();
        connection
    }

    async fn send(&self, sql: &str) -> Vec<SimpleQueryMessage> {
        let Self::Postgres(url) = self else {
            unreachable!("it is a Postgres");
        };
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        // The fence is for its owner too.
        let sql = format!("SET archesai.system = 'on'; {sql}");
        client.simple_query(&sql).await.unwrap()
    }
}
