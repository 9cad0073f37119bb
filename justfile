# Every task of the project, for a person and for continuous integration alike. `just` lists them.

[private]
default:
    @just --list

# Run the tests (sets up a stock kubectl and the Python client where they are missing)
test *args:
    .ci/test {{args}}

# Reflectors and a controller of kube-rs under random change, watch expiry and restarts, for so many seconds
soak seconds="60":
    HEADCOUNT_SOAK_SECONDS={{seconds}} cargo test --package headcount --test clients soak

# What continuous integration runs: tests, formatting, lints
ci:
    .ci/run

# Format the code
fmt:
    cargo fmt --all

# Lints, with warnings denied
lint:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Licences, bans and sources of the dependencies (needs cargo-deny)
deny:
    cargo deny --all-features check bans licenses sources

# A cluster with the redis example
up:
    cargo run --release -- up --ephemeral -f examples/redis

# Start-up time, memory, and the time from a change to its answer
bench:
    cargo bench --package headcount --bench up

# How long a hundred pods that run take, what each costs, and what goes through a Service beside what goes directly
bench-pods:
    cargo bench --package headcount --bench pods

# What ten thousand watches cost
bench-watches:
    cargo bench --package headcount --bench watches

# Creates, gets and lists with 10,000 pods, watch latency and memory of the embedded API
bench-api *args:
    cargo bench --package headcount --bench api -- {{args}}

# What a DNS answer costs, beside a bare echo, Knot and NSD; `just bench-dns --help` has the tasks and options
bench-dns *args: bench-dns-tools
    cargo bench --package headcount --bench dns -- {{args}}

# From a change to the answer that shows it, idle and while 50,000 questions a second are asked
bench-update:
    cargo bench --package dns --bench update

# Objects change through the API, endpoints move and the upstream fails and returns, while clients ask, for so many seconds
soak-dns seconds="600":
    HEADCOUNT_DNS_SOAK_SECONDS={{seconds}} cargo test --package headcount --test soak -- --nocapture

# Debian's packages of the servers and of dnsperf, unpacked below target/tools
[private]
bench-dns-tools:
    test -x target/tools/dnsperf || .ci/debian dnsperf dnsperf
    test -x target/tools/knotd || .ci/debian knot knotd
    test -x target/tools/nsd || .ci/debian nsd nsd

# What a look-up costs by a pod's search path and by one search entry, with glibc's and musl's resolvers, and whether both find the same
bench-search *args: bench-search-tools
    cargo bench --package headcount --bench search -- {{args}}

# Debian's musl-tools, unpacked below target/tools, where the system has no musl-gcc
[private]
bench-search-tools:
    command -v musl-gcc >/dev/null || test -e target/tools/musl-tools-root/usr/bin/musl-gcc || .ci/debian musl-tools

# Instructions of a DNS answer, by kind of question (needs valgrind)
bench-instructions:
    cargo bench --package dns --bench instructions

# What an honest client of the DNS server sees while another means harm
hostile:
    cargo bench --package dns --bench hostile

# Lint of 10,000 objects; `just bench-lint rules` says what each rule takes
bench-lint *args:
    cargo bench --package advisor -- {{args}}

# Fuzz one of the targets that fuzz/README.md names (needs cargo-fuzz and a nightly toolchain)
fuzz target="query" seconds="60":
    mkdir -p fuzz/corpus/{{target}} fuzz/seeds/{{target}}
    cargo +nightly fuzz run {{target}} fuzz/corpus/{{target}} fuzz/seeds/{{target}} -- -max_total_time={{seconds}}

# Kill it while eight clients write, and start it again, a hundred times
crash rounds="100":
    HEADCOUNT_CRASH_ROUNDS={{rounds}} cargo test --package headcount --test crash -- --nocapture
