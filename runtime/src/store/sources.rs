//! Sources that were added on the page or by a command, beside those of the configuration. Knows nothing of what a kind or a
//! device means.

use rusqlite::params;

use super::StoreError;
use super::record::AddedSource;
use super::tasks::Tasks;

impl Tasks {
    /// Every source that was added, by name.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn added_sources(&self) -> Result<Vec<AddedSource>, StoreError> {
        self.read(|conn| {
            conn.prepare_cached("SELECT name, kind, device FROM sources ORDER BY name")
                .and_then(|mut query| {
                    let source = |row: &rusqlite::Row<'_>| {
                        Ok(AddedSource { name: row.get(0)?, kind: row.get(1)?, device: row.get(2)? })
                    };
                    query.query_map([], source)?.collect()
                })
                .map_err(StoreError::db("list the sources that were added"))
        })
    }

    /// Adds a source; one of its name is replaced.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn add_source(&mut self, source: &AddedSource) -> Result<(), StoreError> {
        self.write("store a source", |conn| {
            conn.execute(
                "INSERT OR REPLACE INTO sources (name, kind, device) VALUES (?1, ?2, ?3)",
                params![source.name, source.kind, source.device],
            )
            .map(drop)
            .map_err(StoreError::db("store a source"))
        })
    }

    /// Removes a source that was added; no task looks at it any more. Samples that it gave stay.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn remove_source(&mut self, name: &str) -> Result<(), StoreError> {
        self.write("remove a source", |conn| {
            let step = || StoreError::db("remove a source");
            conn.execute("DELETE FROM looks WHERE source = ?1", [name]).map_err(step())?;
            conn.execute("DELETE FROM sources WHERE name = ?1", [name]).map_err(step())?;
            Ok(())
        })
    }
}
