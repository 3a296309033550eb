//! Telling an organization what it did.

use crate::{
    Day, Error, Figures, OrganizationId, Result, Service, Usage, ports::Repository,
    service::Adapters,
};

/// How many days are told of at most: a leap year.
const MOST: i32 = 366;

/// How many days are told of where nobody says how many.
const USUAL: i32 = 30;

impl<A: Adapters> Service<A> {
    /// What an organization did from one day to another, both included: to today and of thirty days
    /// where it is not said.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if the first comes after the last, or more than 366 days are asked for
    pub async fn usage(
        &self,
        organization: OrganizationId,
        from: Option<Day>,
        to: Option<Day>,
    ) -> Result<Usage> {
        let to = to.unwrap_or_else(|| Day::of(self.clock.now()));
        let from = from.unwrap_or(to.plus(1 - USUAL));
        check(from, to)?;
        let days = self.store.list_usage(organization, from, to).await?;
        let mut total = Figures::new();
        for (figure, much) in days.iter().flat_map(|day| &day.figures) {
            *total.entry(*figure).or_default() += much;
        }
        Ok(Usage {
            from,
            to,
            days,
            total,
        })
    }
}

fn check(from: Day, to: Day) -> Result<()> {
    let invalid = |reason| Error::Invalid {
        field: "from",
        reason,
    };
    if from > to {
        return Err(invalid(
            "must not come after `to`, which is today where it is not given",
        ));
    }
    if from.plus(MOST) <= to {
        return Err(invalid(
            "must be such that it is no more than 366 days to `to`, both included",
        ));
    }
    Ok(())
}
