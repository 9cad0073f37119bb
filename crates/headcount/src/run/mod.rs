//! `headcount run`: a program of this machine in the cluster's network.

mod files;

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use api::serve::Inside;
use clap::Args;
use sandbox::NotEntered;

use crate::error::{Error, Exit};
use crate::live::LiveCluster;
use files::Files;

/// Run a program of this machine in the network of a cluster whose pods run: by its DNS, to its Services and pods
///
/// The program is yours, with your files, your terminal and your rights; its network and its names are those of a pod in the
/// namespace of -n. The cluster is one that `headcount up --pods process` runs on this machine.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Run {
    /// The namespace whose names need no further part
    #[arg(short, long, value_name = "NAME", default_value = "default")]
    namespace: String,

    #[command(flatten)]
    cluster: LiveCluster,

    /// The program and its arguments
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true)]
    command: Vec<OsString>,
}

const EXAMPLES: &str = "\
Examples:
  headcount run -- curl -s http://web                      # a Service of namespace default
  headcount run -n prod -- psql -h prod-database           # by the search path of namespace prod
  headcount run -- sh                                      # look around: dig, ss, ip route";

impl Run {
    /// Becomes the program: returns only with what kept it from that.
    pub(crate) fn run(self) -> Result<Exit, Error> {
        self.become_it().map(|never| match never {})
    }

    fn become_it(self) -> Result<Infallible, Error> {
        let Self { namespace, cluster, command } = self;
        let inside = cluster.inside()?;
        let Inside { process, namespace: number, nameservers, domain } = &inside;
        let files = Files::write(&namespace, domain, nameservers)?;
        sandbox::enter(*process, *number, &files.mounts()).map_err(not_entered)?;
        // What is mounted stays, though it has no name any more.
        drop(files);
        let (program, arguments) = command.split_first().expect("clap asks for one");
        let error = Command::new(program).args(arguments).exec();
        Err(Error::caused(format_args!("could not run {}", program.display()), &error)
            .hint("name a program of this machine: it is looked up in PATH, as by your shell"))
    }
}

fn not_entered(why: NotEntered) -> Error {
    let hint = match why {
        NotEntered::Gone => {
            "start it again with headcount up --pods process, and name its kubeconfig with --kubeconfig or KUBECONFIG"
        }
        NotEntered::Refused { .. } => "run this as the user that runs headcount up, or as root",
        NotEntered::NotLinux => "use kubectl port-forward instead",
    };
    Error::caused("the cluster's network could not be entered", &why).hint(hint)
}
