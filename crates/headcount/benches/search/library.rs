//! C libraries, and the program that looks names up with them.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A C library, whose resolver is asked.
pub(crate) struct Library {
    /// Its name and version.
    pub(crate) title: String,
    /// The program, made with it.
    pub(crate) program: PathBuf,
}

/// Makes the program with glibc and with musl, in a folder.
pub(crate) fn build(folder: &Path) -> Result<[Library; 2], Box<dyn Error>> {
    let glibc = folder.join("lookup-glibc");
    compile(Command::new("cc"), &glibc)?;
    let version = Command::new("getconf").arg("GNU_LIBC_VERSION").output()?;
    let version = String::from_utf8(version.stdout)?;
    if !version.starts_with("glibc") {
        return Err("cc and getconf of this machine are not glibc's".into());
    }

    let musl = folder.join("lookup-musl");
    let (mut compiler, root) = musl_compiler(folder)?;
    compiler.arg("-static");
    compile(compiler, &musl)?;
    Ok([
        Library { title: version.trim().to_owned(), program: glibc },
        Library { title: format!("musl {}", musl_version(&root)?), program: musl },
    ])
}

fn compile(mut compiler: Command, program: &Path) -> Result<(), Box<dyn Error>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/search/lookup.c");
    compiler.args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(program);
    let status = compiler.arg(source).status()?;
    if !status.success() {
        return Err(format!("{compiler:?} ended with {status}").into());
    }
    Ok(())
}

/// The system's musl-gcc, else that of Debian's package as `just bench-search` unpacks it; and below which folder it is.
fn musl_compiler(folder: &Path) -> Result<(Command, PathBuf), Box<dyn Error>> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join("musl-gcc").is_file()) {
        return Ok((Command::new("musl-gcc"), "/".into()));
    }
    let root = crate::root().join("target/tools/musl-tools-root");
    let specs = root.join(format!("usr/lib/{}-linux-musl/musl-gcc.specs", std::env::consts::ARCH));
    let text = fs::read_to_string(&specs).map_err(|error| {
        format!(
            "there is no musl-gcc ({}: {error}); `just bench-search` unpacks Debian's, elsewhere install musl's tools",
            specs.display()
        )
    })?;
    // The package says where its files are once it is installed.
    let root = root.canonicalize()?;
    let usr = format!("{}/usr/", root.display());
    let mended = folder.join("musl-gcc.specs");
    fs::write(
        &mended,
        text.replace(" /usr/", &format!(" {usr}")).replace("-L/usr/", &format!("-L{usr}")),
    )?;
    let mut compiler = Command::new("gcc");
    compiler.arg("-specs").arg(mended);
    Ok((compiler, root))
}

/// What musl's loader says of itself.
fn musl_version(root: &Path) -> Result<String, Box<dyn Error>> {
    let loader = root.join(format!("lib/ld-musl-{}.so.1", std::env::consts::ARCH));
    let output = Command::new(loader).output()?;
    let text = String::from_utf8(output.stderr)?;
    let version = text.lines().find_map(|line| line.strip_prefix("Version "));
    Ok(version.ok_or("musl's loader does not say its version")?.to_owned())
}
