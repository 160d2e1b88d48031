//! `llmlab serve`: jobs, results, rankings and pages for a team.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;

use super::database::Database;
use crate::cli::{flags, interrupt, output};
use crate::ranking::{POINTS, Simulation};
use crate::report::say;
use crate::service::{Application, Capacity, Keys, Schedule, ServiceSettings, Task, jobs};
use crate::settings::{Environment, Settings};

/// Serves benchmarks to a team: an API, pages, and rankings of models.
///
/// Without any flag everything lies in one SQLite file, and this machine alone is served: whoever opens the page on it
/// is let in, and programs show the key that is printed. With keys in the environment other machines are served too.
/// It ends at Ctrl-C (exit code 130) or SIGTERM (0): jobs under way are put back into the queue, for this process or
/// another one to take up.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// The address to listen on; any that is not loopback needs keys.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    host: IpAddr,
    /// The port of everything; 0 takes a free one.
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// A second port, where the rankings are expected; 0 for none [default: the one after --port].
    #[arg(long, value_name = "PORT")]
    rankings_port: Option<u16>,
    #[command(flatten)]
    database: Database,
    /// Redis as the cache of several processes [env: REDIS_URL] [default: this process's memory].
    #[arg(long, value_name = "URL")]
    redis_url: Option<String>,
    /// Where Criterion puts its reports.
    #[arg(long, value_name = "DIRECTORY", default_value = "target/criterion")]
    criterion_dir: PathBuf,
    /// Requests a second that one key may send; 0 for any number.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    rate: u32,
    /// Reply to a missing key with 422, as the first rankings service did, instead of 401.
    #[arg(long)]
    compat: bool,
    #[command(flatten, next_help_heading = "Jobs")]
    jobs: Jobs,
    #[command(flatten, next_help_heading = "Schedule")]
    schedule: Scheduled,
    #[command(flatten, next_help_heading = "Target and budget of a job")]
    target: flags::Target,
}

/// How many jobs are taken on.
#[derive(Debug, clap::Args)]
struct Jobs {
    /// Jobs at once: two that measure at the same time disturb each other.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
    /// Jobs that may wait for their turn; more are refused.
    #[arg(long, value_name = "N", default_value_t = 50)]
    queue: u32,
    /// How long a job is left alone of whose process nothing is heard; then it is marked as interrupted.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = flags::time)]
    lease: Duration,
}

/// What is done again and again.
#[derive(Debug, clap::Args)]
struct Scheduled {
    /// What to do: simulate values, measure targets, or nothing.
    #[arg(long, value_name = "simulate|measure|off", default_value = "simulate", value_parser = ["simulate", "measure", "off"])]
    schedule: String,
    /// How often; a plain number is minutes [env: SCHEDULE_INTERVAL] [default: 3].
    #[arg(long, value_name = "MINUTES|TIME", value_parser = minutes)]
    every: Option<Duration>,
    /// What to measure.
    #[arg(long, value_name = "BENCHMARK", default_value = "streaming")]
    measure: String,
    /// Rounds of each measurement.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=50))]
    measure_runs: u32,
    /// A target to measure; may be given several times [default: the usual one].
    #[arg(long, value_name = "NAME")]
    measure_target: Vec<String>,
    /// How often what failed is tried again [env: MAX_RETRIES] [default: 2].
    #[arg(long, value_name = "N")]
    max_retries: Option<u32>,
    /// The time between two tries; a plain number is seconds [env: RETRY_DELAY] [default: 60].
    #[arg(long, value_name = "TIME", value_parser = flags::time)]
    retry_delay: Option<Duration>,
}

const EXAMPLES: &str = "Examples:
  llmlab serve                                        http://127.0.0.1:8000, the simulator, one SQLite file
  llmlab serve --schedule measure --every 60 --measure-target staging --measure-target anthropic
  llmlab serve --database-url postgres://lab@127.0.0.1/lab --redis-url redis://127.0.0.1
  LLMLAB_API_KEYS=ci:run:$CI_KEY,grafana:read:$GRAFANA_KEY llmlab serve --host 0.0.0.0

  curl -X POST -H \"x-api-key: $KEY\" http://127.0.0.1:8000/api/benchmarks/streaming/run -d '{\"runs\": 10}'
  curl -H \"x-api-key: $KEY\" 'http://127.0.0.1:8001/api/v1/benchmarks/rankings?order=best&stats=full'

Environment:
  LLMLAB_API_KEYS    keys as NAME:SCOPE:KEY, where SCOPE is read or run; commas between several
  API_KEY            one key that may do all
  SEED               the seed of simulated rankings (default: 20; empty: another one each time)
";

/// Serves until somebody ends it.
pub(in crate::cli) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let settings = args.settings()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        // Before the address is out, so that whoever reads it can stop the service at once.
        let end = interrupt::end().context("could not listen for signals")?;
        let schedule = settings.schedule.name();
        let application = Box::pin(Application::build(settings)).await?;
        output::print(&greeting(&application, schedule.as_deref()))?;
        let mut exit = ExitCode::SUCCESS;
        let until = async {
            exit = end.await;
            say("[llmlab] stopping: jobs under way are put back into the queue");
        };
        Box::pin(application.run_until_stopped(until)).await?;
        Ok(exit)
    })
}

fn greeting(application: &Application, schedule: Option<&str>) -> String {
    let addresses = application.addresses();
    let url = |address| format!("http://{address}");
    let mut lines: Vec<String> = addresses.first().map(url).into_iter().collect();
    lines.extend(
        addresses
            .get(1)
            .map(|address| format!("rankings also at http://{address}/api/v1/benchmarks/rankings")),
    );
    lines.push(format!("kept in {}; API at /api/docs", application.backends()));
    lines.push(format!("schedule: {}", schedule.unwrap_or("off")));
    match application.key() {
        Some(key) => {
            lines.push(format!("no key is configured, so this machine alone is served; x-api-key: {key}"))
        }
        None => lines.push("requests show a configured key in x-api-key".into()),
    }
    lines.join("\n")
}

impl Args {
    fn settings(&self) -> anyhow::Result<ServiceSettings> {
        let environment = self.target.environment();
        // What no job could run with is said now.
        Settings::from_environment(&environment)?;
        let keys = Keys::new(environment.get("LLMLAB_API_KEYS"), environment.get("API_KEY"))?;
        let redis_url = self.redis_url.clone().or_else(|| environment.get("REDIS_URL").map(str::to_owned));
        Ok(ServiceSettings {
            host: self.host,
            port: self.port,
            rankings_port: match self.rankings_port {
                Some(0) => None,
                None if self.port == 0 => Some(0),
                None => self.port.checked_add(1),
                given => given,
            },
            database_url: self.database.url(&environment),
            redis_url,
            output_dir: self.database.output_dir().into(),
            criterion_dir: self.criterion_dir.clone(),
            keys,
            capacity: Capacity {
                at_once: self.jobs.jobs.into(),
                waiting: self.jobs.queue.into(),
                lease: self.jobs.lease.max(Duration::from_millis(500)),
            },
            rate: self.rate,
            compat: self.compat,
            schedule: self.schedule.checked(&environment)?,
            environment,
        })
    }
}

impl Scheduled {
    fn checked(&self, environment: &Environment) -> anyhow::Result<Schedule> {
        let task = match self.schedule.as_str() {
            "off" => Task::Off,
            "measure" => {
                let benchmark = jobs::find(&self.measure)
                    .with_context(|| format!("--measure {}: there is no such benchmark", self.measure))?;
                let targets = self.measure_target.clone();
                for target in &targets {
                    let request =
                        jobs::JobRequest { target: Some(target.clone()), ..jobs::JobRequest::default() };
                    request.check(&benchmark, environment).map_err(|complaints| {
                        anyhow::anyhow!("--measure-target {target}: {}", complaints[0])
                    })?;
                }
                Task::Measure { benchmark: benchmark.kind, runs: self.measure_runs, targets }
            }
            _ => Task::Simulate(Simulation::new(
                &Simulation::seed_of(environment),
                POINTS,
                Default::default(),
            )?),
        };
        let every = or(self.every, environment, "SCHEDULE_INTERVAL", minutes)?;
        let max_retries = or(self.max_retries, environment, "MAX_RETRIES", |text| {
            text.parse().map_err(|_| "expected a whole number".to_owned())
        })?;
        let retry_delay = or(self.retry_delay, environment, "RETRY_DELAY", flags::time)?;
        let every = every.unwrap_or(Duration::from_secs(180));
        anyhow::ensure!(every >= Duration::from_secs(1), "--every: the shortest interval is one second");
        let retry_delay = retry_delay.unwrap_or(Duration::from_secs(60));
        Ok(Schedule { task, every, max_retries: max_retries.unwrap_or(2), retry_delay })
    }
}

/// What a flag says, or else what a variable of the environment does.
fn or<T>(
    flag: Option<T>,
    environment: &Environment,
    name: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> anyhow::Result<Option<T>> {
    match (flag, environment.get(name)) {
        (Some(value), _) => Ok(Some(value)),
        (None, Some(text)) => {
            Ok(Some(parse(text).map_err(|reason| anyhow::anyhow!("{name}=`{text}`: {reason}"))?))
        }
        (None, None) => Ok(None),
    }
}

/// A time; a plain number is minutes.
fn minutes(text: &str) -> Result<Duration, String> {
    match text.trim().parse::<f64>() {
        Ok(minutes) => Duration::try_from_secs_f64(minutes * 60.0).map_err(|error| error.to_string()),
        Err(_) => flags::time(text),
    }
}
