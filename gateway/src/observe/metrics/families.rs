//! Every metric: its name, its labels, what it is. Names, labels and units are part of the contract (docs/metrics.md).

use prometheus_client::metrics::MetricType;

/// A metric. Samples of counters have `_total` behind its name, those of an information `_info`.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Its name without that.
    pub name: &'static str,
    /// Counter, gauge, histogram or information.
    pub kind: MetricType,
    /// The names of its labels, in their order.
    pub labels: &'static [&'static str],
    /// What it is, in a line.
    pub help: &'static str,
}

impl Family {
    /// Its name, as Prometheus knows it.
    pub fn full_name(&self) -> String {
        let suffix = match self.kind {
            MetricType::Counter => "_total",
            MetricType::Info => "_info",
            MetricType::Gauge | MetricType::Histogram | MetricType::Unknown => "",
        };
        format!("{}{suffix}", self.name)
    }

    /// The word for what it is, as Prometheus has it.
    pub const fn kind_name(&self) -> &'static str {
        match self.kind {
            MetricType::Counter => "counter",
            MetricType::Gauge | MetricType::Info => "gauge",
            MetricType::Histogram => "histogram",
            MetricType::Unknown => "untyped",
        }
    }
}

macro_rules! families {
    ($($id:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $id: Family =
                Family { name: $name, kind: MetricType::$kind, labels: &[$($label),*], help: $help };
        )*

        /// All of them, in the order in which they are told.
        pub const FAMILIES: &[&Family] = &[$(&$id),*];
    };
}

families! {
    BUILD = Info "bridge32_build" ["version", "protocol"] "1, with the version of the gateway and of the protocol that it speaks with agents.";
    CALLS = Counter "bridge32_calls" ["library", "function", "outcome"] "Calls that have ended, by how: returned, or the code of the problem.";
    CALL_DURATION = Histogram "bridge32_call_duration_seconds" ["library", "function", "outcome"] "How long calls took in all, from their arrival in the queue to their end.";
    CALL_PART = Histogram "bridge32_call_part_seconds" ["library", "part"] "How long a part took of calls that had it: queue (they waited at the gateway), agent (their way to the library and back), library (its own code).";
    CALLS_REPEATED = Counter "bridge32_calls_repeated" ["library"] "Calls that were sent to more than one process, because one ended before they had begun or their function is idempotent.";
    REQUEST_CALLS = Histogram "bridge32_agent_request_calls" ["library"] "How many calls went to an agent in one request.";
    LIBRARY_STATE = Gauge "bridge32_library_state" ["library", "state"] "1 for the state that the library is in: starting, idle, ready, failed or gone.";
    QUEUE_WAITING = Gauge "bridge32_queue_waiting_calls" ["library"] "Calls that wait to be sent to an agent.";
    QUEUE_RUNNING = Gauge "bridge32_queue_running_calls" ["library"] "Calls that were sent to an agent and have not ended.";
    QUEUE_LIMIT = Gauge "bridge32_queue_limit_calls" ["library"] "How many calls may wait.";
    KEPT_CALLS = Gauge "bridge32_kept_calls_under_way" [] "Calls whose outcome will be kept and that have not ended.";
    AGENT_STATE = Gauge "bridge32_agent_state" ["agent", "pool", "runtime", "state"] "1 for the state that the agent is in. The pool is the library or the group that it runs.";
    AGENT_GENERATION = Gauge "bridge32_agent_generation" ["agent", "pool"] "The number of the agent's current start, or of the last one, among all starts of its pool.";
    AGENT_RESTARTS = Counter "bridge32_agent_restarts" ["agent", "pool"] "How often the agent was started again.";
    AGENT_CRASHES = Counter "bridge32_agent_crashes" ["pool"] "Processes that ended by themselves.";
    AGENT_SESSIONS = Gauge "bridge32_agent_sessions" ["agent", "pool"] "Sessions that are bound to the agent.";
    AGENT_UPTIME = Gauge "bridge32_agent_uptime_seconds" ["agent", "pool"] "How long the agent's process has been running.";
    AGENT_RESIDENT = Gauge "bridge32_agent_resident_bytes" ["agent", "pool"] "Memory of the agent's process that is resident.";
    AGENT_ADDRESS_SPACE = Gauge "bridge32_agent_address_space_bytes" ["agent", "pool"] "How much of the 4 GiB of its address space a 32-bit process has taken.";
    AGENT_LARGEST_FREE = Gauge "bridge32_agent_largest_free_bytes" ["agent", "pool"] "The largest free block of the address space of a 32-bit process: no allocation can be larger.";
    AGENT_THREADS = Gauge "bridge32_agent_threads" ["agent", "pool"] "Threads of the agent's process.";
    AGENT_HANDLES = Gauge "bridge32_agent_handles" ["agent", "pool"] "Open file descriptors (Linux) or handles (Windows) of the agent's process.";
    AGENT_GDI_OBJECTS = Gauge "bridge32_agent_gdi_objects" ["agent", "pool"] "GDI objects of the agent's process (Windows).";
    AGENT_USER_OBJECTS = Gauge "bridge32_agent_user_objects" ["agent", "pool"] "USER objects, such as windows, of the agent's process (Windows).";
    AGENT_LIMIT = Gauge "bridge32_agent_limit_used_ratio" ["agent", "pool", "limit"] "How much the process has of what it may have before it is replaced: 1 is the limit.";
    AGENT_PROBE = Gauge "bridge32_agent_probe_ok" ["agent", "pool", "library"] "1 if the last probe of the library was answered as it should be, else 0.";
    HISTORY_UP = Gauge "bridge32_history_up" [] "1 if the history can be written, else 0; nothing if there is none.";
    HISTORY_WAITING = Gauge "bridge32_history_waiting_calls" [] "Calls that have ended and wait to be written into the history.";
    HISTORY_WRITTEN = Counter "bridge32_history_written_calls" [] "Calls that were written into the history.";
    HISTORY_MISSED = Counter "bridge32_history_missed_calls" [] "Calls that are not in the history, because there was no room while it could not be written.";
    HISTORY_FORGOTTEN = Counter "bridge32_history_forgotten_calls" [] "Calls that were taken out of the history, because they were too old or the history was too large.";
    HISTORY_FAILURES = Counter "bridge32_history_write_failures" [] "How often writing the history has failed.";
    EVENTS = Counter "bridge32_events" ["type"] "Events that were told at /v1/events.";
    EVENT_READERS = Gauge "bridge32_event_readers" [] "Clients that read /v1/events now.";
    EVENTS_MISSED = Counter "bridge32_events_missed" [] "Events that readers of /v1/events were told to have missed.";
    HTTP_RESPONSES = Counter "bridge32_http_responses" ["class"] "Answers to HTTP requests, those to agents included, by the class of their status.";
    HTTP_PROBLEMS = Counter "bridge32_http_problems" ["code"] "Problem documents that were answered, by their code.";
    PROCESS_START = Gauge "process_start_time_seconds" [] "When the gateway started, in seconds since 1970.";
    PROCESS_CPU = Counter "process_cpu_seconds" [] "CPU time of the gateway.";
    PROCESS_RESIDENT = Gauge "process_resident_memory_bytes" [] "Memory of the gateway that is resident.";
    PROCESS_OPEN_FDS = Gauge "process_open_fds" [] "Open file descriptors of the gateway.";
    PROCESS_MAX_FDS = Gauge "process_max_fds" [] "How many it may have.";
}
