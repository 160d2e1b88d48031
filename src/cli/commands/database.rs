//! `llmlab database`: the tables of the service.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::report::say;
use crate::service::store::Store;
use crate::settings::Environment;

/// Brings the service's tables to this build's form, or takes changes back.
///
/// llmlab serve does the first by itself. The other is for going back to an older build.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make the tables, or change them to this build's form; what they hold stays.
    Migrate {
        #[command(flatten)]
        database: Database,
    },
    /// Take back every change after a version. What only the newer tables hold is lost.
    Revert {
        #[command(flatten)]
        database: Database,
        /// The version to go back to; 0 takes away all tables and all that they hold.
        #[arg(long, value_name = "VERSION")]
        to: u32,
    },
}

/// Where the service keeps its things.
#[derive(Debug, clap::Args)]
pub(super) struct Database {
    /// The database, sqlite:FILE or postgres://USER@HOST/NAME [env: DATABASE_URL]
    /// [default: sqlite:OUTPUT_DIR/llmlab.db].
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Where results lie.
    #[arg(long, value_name = "DIRECTORY", default_value = "results")]
    output_dir: PathBuf,
}

const EXAMPLES: &str = "Examples:
  llmlab database migrate --database-url postgres://lab@127.0.0.1/lab
  llmlab database revert --to 0 --database-url sqlite:results/llmlab.db
";

impl Database {
    pub(super) fn url(&self, environment: &Environment) -> String {
        let given = self.database_url.as_deref().or_else(|| environment.get("DATABASE_URL"));
        given.map_or_else(|| format!("sqlite:{}", self.output_dir.join("llmlab.db").display()), str::to_owned)
    }

    pub(super) fn output_dir(&self) -> &Path {
        &self.output_dir
    }
}

/// Migrates or reverts.
pub(in crate::cli) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let environment = Environment::of_process();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match &args.command {
        Command::Migrate { database } => {
            let store = runtime.block_on(Store::open(&database.url(&environment)))?;
            say(&format!("[llmlab] the tables in {} are this build's", store.backend()));
        }
        Command::Revert { database, to } => {
            runtime.block_on(Store::revert(&database.url(&environment), (*to).into()))?;
            say(&format!("[llmlab] the tables are those of version {to}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
