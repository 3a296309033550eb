//! Finding passages, by their vectors and by their words.

use archesai_content::{ArtifactId, ChunkId, Error, Hit, ModelInfo, OrganizationId, SearchFilter};
use diesel::{
    connection::{DefaultLoadingMode, LoadConnection},
    deserialize::FromSql,
    prelude::*,
    result::Error as DieselError,
    row::{Field, Row as _},
    sql_types::{BigInt, Binary, Double, Text},
    sqlite::{Sqlite, SqliteConnection},
};

use super::{
    filter::{Query, Sql},
    models,
    task::TaskResult,
    vectors::{self, Best, Estimate, Scored},
};
use crate::{schema::chunk_embeddings, types::Id};

/// For each passage that is asked for, so many are compared exactly, and never fewer than some:
/// enough that hardly any of the best is missed, whatever the model.
const CANDIDATES: usize = 10;
const MIN_CANDIDATES: usize = 500;

/// How many different words of a query count.
const MAX_WORDS: usize = 64;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Binary)]
    artifact_id: Id,
    #[diesel(sql_type = Text)]
    artifact_name: String,
    #[diesel(sql_type = Binary)]
    chunk_id: Id,
    #[diesel(sql_type = Text)]
    text: String,
    #[diesel(sql_type = BigInt)]
    position: i64,
    #[diesel(sql_type = Double)]
    score: f64,
}

impl Row {
    fn hit(self) -> TaskResult<Hit> {
        Ok(Hit {
            artifact_id: ArtifactId(self.artifact_id.0),
            artifact_name: self.artifact_name,
            chunk_id: ChunkId(self.chunk_id.0),
            text: self.text,
            score: self.score,
            position: u32::try_from(self.position).map_err(Error::unavailable)?,
        })
    }
}

/// Compares with every passage that meets the filter by its code, and with the best of these by
/// its vector: all of them, if they are few.
pub(super) fn semantic(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    model: &ModelInfo,
    embedding: &[f32],
    filter: &SearchFilter,
    limit: u32,
) -> TaskResult<Vec<Hit>> {
    let Some(model) = models::find(connection, model)? else {
        return Ok(Vec::new());
    };
    let mut sql = Sql::new(
        "SELECT e.chunk, e.code FROM chunk_embeddings AS e \
         WHERE e.organization_id = ? AND e.model = ?",
    )
    .id(organization.0)
    .integer(model);
    if *filter != SearchFilter::default() {
        sql = sql
            .push(" AND e.artifact_id IN (SELECT a.id FROM artifacts AS a WHERE")
            .searched(organization, filter)
            .push(")");
    }
    // All that is read is of one moment.
    connection.transaction(|connection| {
        let candidates = (limit as usize * CANDIDATES).max(MIN_CANDIDATES);
        let near = near(connection, sql.query(), embedding, candidates)?;
        let best = nearest(connection, near, embedding, limit)?;
        best.into_iter()
            .map(|best| load(connection, best))
            .collect()
    })
}

/// Those of the passages a query answers whose codes are nearest. It looks at each code where the
/// database keeps it, for copying would cost more than comparing.
fn near(
    connection: &mut SqliteConnection,
    query: Query,
    embedding: &[f32],
    limit: usize,
) -> TaskResult<Vec<Scored>> {
    let estimate = Estimate::of(embedding);
    let mut best = Best::new(limit);
    let rows = LoadConnection::<DefaultLoadingMode>::load(connection, query)?;
    for row in rows {
        let row = row?;
        let score = {
            let field = row.get(1).ok_or(DieselError::NotFound)?;
            let mut code = field.value().ok_or(DieselError::NotFound)?;
            estimate.to(code.read_blob())
        };
        let chunk = column::<BigInt, i64>(&row, 0)?;
        best.show(Scored {
            score,
            chunk,
            id: 0,
        });
    }
    Ok(best.into_sorted())
}

/// The nearest of some passages, by their vectors.
fn nearest(
    connection: &mut SqliteConnection,
    near: Vec<Scored>,
    embedding: &[f32],
    limit: u32,
) -> TaskResult<Vec<Scored>> {
    let mut best = Best::new(limit as usize);
    for Scored { chunk, .. } in near {
        let (id, vector): (Id, Vec<u8>) = chunk_embeddings::table
            .find(chunk)
            .select((chunk_embeddings::id, chunk_embeddings::vector))
            .first(connection)?;
        best.show(Scored {
            score: vectors::dot(embedding, &vector),
            chunk,
            id: id.0,
        });
    }
    Ok(best.into_sorted())
}

fn column<'a, S, T: FromSql<S, Sqlite>>(
    row: &impl diesel::row::Row<'a, Sqlite>,
    at: usize,
) -> TaskResult<T> {
    let field = row.get(at).ok_or(DieselError::NotFound)?;
    let value = T::from_nullable_sql(field.value());
    Ok(value.map_err(DieselError::DeserializationError)?)
}

fn load(connection: &mut SqliteConnection, best: Scored) -> TaskResult<Hit> {
    let row: Row = Sql::new(
        "SELECT a.id AS artifact_id, a.name AS artifact_name, c.id AS chunk_id, c.text, \
         c.position, 0.0 AS score FROM chunks AS c JOIN artifacts AS a ON a.id = c.artifact_id \
         WHERE c.sequence = ?",
    )
    .integer(best.chunk)
    .query()
    .get_result(connection)?;
    let mut hit = row.hit()?;
    // Rounding can carry the cosine of equal directions past one.
    hit.score = f64::from(best.score.clamp(-1.0, 1.0));
    Ok(hit)
}

/// Ranks by BM25 as FTS5 computes it. Its statistics are those of the whole
/// table, so the score of a word also depends on how common it is elsewhere.
pub(super) fn keyword(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    query: &str,
    filter: &SearchFilter,
    limit: u32,
) -> TaskResult<Vec<Hit>> {
    let Some(words) = any_word(query) else {
        return Ok(Vec::new());
    };
    let rows: Vec<Row> = Sql::new(
        "WITH best AS MATERIALIZED ( \
           SELECT c.sequence, chunks_fts.rank AS rank, c.id FROM chunks_fts \
           CROSS JOIN chunks AS c ON c.sequence = chunks_fts.rowid \
           CROSS JOIN artifacts AS a ON a.id = c.artifact_id \
           WHERE chunks_fts MATCH ? AND c.organization_id = ? AND",
    )
    .text(words)
    .id(organization.0)
    .searched(organization, filter)
    .push(
        " ORDER BY chunks_fts.rank, c.id LIMIT ?) \
         SELECT a.id AS artifact_id, a.name AS artifact_name, c.id AS chunk_id, c.text, \
         c.position, -best.rank AS score FROM best \
         CROSS JOIN chunks AS c ON c.sequence = best.sequence \
         CROSS JOIN artifacts AS a ON a.id = c.artifact_id ORDER BY best.rank, best.id",
    )
    .integer(limit)
    .query()
    .load(connection)?;
    rows.into_iter().map(Row::hit).collect()
}

/// What somebody typed, as an FTS5 query for any of the words. Each is quoted,
/// and none has a quote in it, so none is taken for an operator.
fn any_word(query: &str) -> Option<String> {
    let mut words: Vec<String> = Vec::new();
    let split = query.split(|c: char| !is_of_word(c));
    for word in split.filter(|word| word.contains(char::is_alphanumeric)) {
        let word = format!("\"{word}\"");
        if !words.contains(&word) {
            words.push(word);
        }
        if words.len() == MAX_WORDS {
            break;
        }
    }
    (!words.is_empty()).then(|| words.join(" OR "))
}

/// Whether a character is part of a word. Combining diacritical marks are: FTS5
/// takes them off, as it does those of composed letters.
fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || ('\u{300}'..='\u{36f}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::any_word;

    #[test]
    fn words_are_quoted_and_nothing_else_is_left() {
        let words = |query| any_word(query);
        assert_eq!(words("a AND b").as_deref(), Some(r#""a" OR "AND" OR "b""#));
        assert_eq!(
            words("\"a\" NEAR(b*)").as_deref(),
            Some(r#""a" OR "NEAR" OR "b""#)
        );
        assert_eq!(words("a a a").as_deref(), Some(r#""a""#));
        assert_eq!(words("cafe\u{301}").as_deref(), Some("\"cafe\u{301}\""));
        for nothing in ["", "\"", "* - ( ) : ^ + \0", "\u{301}"] {
            assert_eq!(words(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn only_so_many_words_count() {
        let many: Vec<_> = (0..100).map(|n| n.to_string()).collect();
        let words = any_word(&many.join(" ")).expect("it has words");
        assert_eq!(words.split(" OR ").count(), 64);
    }
}
