//! Any octets as a file of manifests: objects and problems, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    for source in ["any.yaml", "any.json"] {
        let (documents, problems) = manifest::read::read_bytes(source, octets);
        let lines = octets.iter().filter(|octet| **octet == b'\n' || **octet == b'\r').count() + 2;
        assert!(problems.iter().all(|problem| (1..=lines).contains(&problem.line)));
        let (_, problems) = manifest::read::check(documents, "default");
        assert!(problems.iter().all(|problem| (1..=lines).contains(&problem.line)));
    }
});
