//! Which calls `bridge32 calls` lists: an option for each parameter of `GET /v1/calls`.

use clap::Args;

/// Which calls, and how many of them.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Which calls are listed")]
pub(super) struct Wanted {
    /// Those of this library
    #[arg(long, value_name = "NAME")]
    library: Option<String>,
    /// Those of this function
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    /// Those that ended so: `returned`, `failed`, the code of a problem, `not_run`, `may_have_run` or `ran`
    #[arg(long, value_name = "WORD")]
    outcome: Option<String>,
    /// Those that were made with this key
    #[arg(long, value_name = "ID")]
    by_key: Option<String>,
    /// Those that were made with a key of this owner
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// Those that were sent to this agent
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
    /// Those of this session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Those of this batch
    #[arg(long, value_name = "ID")]
    batch: Option<String>,
    /// Those of this trace
    #[arg(long, value_name = "ID")]
    trace_id: Option<String>,
    /// Those that ended then or later: a time, or how long ago, such as 15m, 2h or 7d
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Those that ended then or earlier
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Those that took at least so long, such as 5ms
    #[arg(long, value_name = "TIME")]
    min_duration: Option<String>,
    /// Those that took at most so long
    #[arg(long, value_name = "TIME")]
    max_duration: Option<String>,
    /// Those in whose arguments this is to be read
    #[arg(long)]
    text: Option<String>,
    /// No more than so many
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

impl Wanted {
    /// The parameters, but for where to go on and how many.
    fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let given = [
            ("library", &self.library),
            ("function", &self.function),
            ("outcome", &self.outcome),
            ("key", &self.by_key),
            ("owner", &self.owner),
            ("agent", &self.agent),
            ("session", &self.session),
            ("batch", &self.batch),
            ("trace_id", &self.trace_id),
            ("since", &self.since),
            ("until", &self.until),
            ("min_duration", &self.min_duration),
            ("max_duration", &self.max_duration),
            ("text", &self.text),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }

    /// How many calls are listed.
    pub(super) const fn limit(&self) -> usize {
        self.limit as usize
    }

    /// What to ask for the next `limit` calls.
    pub(super) fn target(&self, limit: usize, cursor: Option<&str>) -> String {
        let path = "/v1/calls?";
        let mut query = form_urlencoded::Serializer::for_suffix(path.to_owned(), path.len());
        query.extend_pairs(self.pairs()).append_pair("limit", &limit.to_string());
        if let Some(cursor) = cursor {
            query.append_pair("cursor", cursor);
        }
        query.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_is_a_query() {
        let wanted = Wanted { outcome: Some("failed".into()), text: Some("\"a\":1&b".into()), ..Wanted::default() };
        let target = wanted.target(5, Some("AXM"));
        assert_eq!(target, "/v1/calls?outcome=failed&text=%22a%22%3A1%26b&limit=5&cursor=AXM");
    }
}
