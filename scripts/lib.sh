# What the scripts share: words on the terminal, and packages. To be sourced; no side effects.
# shellcheck shell=bash

have() { command -v "$1" >/dev/null 2>&1; }

# One line a step, on stderr: stdout belongs to the command's own result.
step() {
  step_ends
  step_name=$*
  step_began=$SECONDS
  printf '==> %s\n' "$*" >&2
}

# How long each step took, for whom the whole takes too long.
step_name='' step_began=0 step_times=()
step_ends() {
  [ -z "$step_name" ] || step_times+=("$((SECONDS - step_began)) s $step_name")
  step_name=
}

# Prints the steps so far that took a while, in one line; leaves all of them in a file, a line each. usage: tell_times FILE
tell_times() {
  step_ends
  mkdir -p "$(dirname "$1")"
  printf '%s\n' "${step_times[@]}" >"$1"
  awk '$1 >= 5 { printf "%s%s", separator, $0; separator = ", " } END { if (separator) print "" }' "$1" >&2
}

die() { printf 'error: %s\n' "$*" >&2; exit 1; }

have_apt() { have apt-get && have dpkg-query; }

# Prints those of the named Debian packages that are not installed.
missing_packages() {
  comm -23 <(printf '%s\n' "$@" | sort -u) \
    <(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' "$@" 2>/dev/null | sed -n 's/^ii //p' | sort -u)
}

# Installs those of the named Debian packages that are missing, in one call; does nothing, quickly, where none is.
need_packages() {
  local missing log as_root=()
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    have sudo || die "packages are missing, and there is no sudo; as root: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  step "Installing ${#missing[@]} Debian packages: ${missing[*]}"
  log=$(mktemp)
  if ! { "${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } \
    </dev/null >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    die "apt-get could not install: ${missing[*]}"
  fi
  rm -f "$log"
}

# What a build needs besides Rust: FFmpeg's libraries, clang for their bindings, wasm-opt.
readonly FFMPEG_LIBRARIES=(libavcodec libavdevice libavfilter libavformat libavutil libswresample libswscale)
readonly BUILD_PACKAGES=("${FFMPEG_LIBRARIES[@]/%/-dev}" binaryen clang gcc libc6-dev libclang-dev pkg-config)

install_for_build() {
  have cargo || die "Rust is missing: install it from https://rustup.rs and open a new shell"
  if have_apt; then
    need_packages "${BUILD_PACKAGES[@]}"
  elif ! { have clang && have wasm-opt && have pkg-config && pkg-config --exists "${FFMPEG_LIBRARIES[@]}"; }; then
    die "this is no Debian or Ubuntu; install by hand: clang with libclang, pkg-config, binaryen (wasm-opt)," \
      "and FFmpeg's development files (${FFMPEG_LIBRARIES[*]})"
  fi
  install_player_packages
}

# hls.js, which the player fetches in browsers that cannot do without: from npm into the site, and so into no commit of ours.
install_player_packages() {
  need_commands node:nodejs npm:npm
  npm_install player "the player's package"
}

# Installs packages for commands that are missing; what provides a command is the user's affair.
# usage: need_commands COMMAND:PACKAGE…
need_commands() {
  local pair packages=()
  for pair in "$@"; do
    have "${pair%:*}" || packages+=("${pair#*:}")
  done
  [ ${#packages[@]} -gt 0 ] || return 0
  have_apt || die "this is no Debian or Ubuntu; install by hand: ${packages[*]}"
  need_packages "${packages[@]}"
}

# What `make check` needs besides: the linter of these scripts, and Node for the browser tests' types.
install_for_check() {
  install_for_build
  need_commands shellcheck:shellcheck node:nodejs npm:npm
  install_node_packages
}

# What the tests need besides: a real encoder and player, a database server, an authority for certificates, Node for the browser tests.
install_for_test() {
  install_for_build
  need_commands ffmpeg:ffmpeg ffprobe:ffmpeg chromium:chromium node:nodejs npm:npm strace:strace pebble:pebble openssl:openssl python3:python3
  [ -n "$(postgres_programs)" ] || need_commands initdb:postgresql
  install_node_packages
}

# The oldest Node that Playwright runs on, and the one that is fetched where the system's is older, as Debian 12's is.
readonly OLDEST_NODE=20 OWN_NODE=22

# The packages of end2end, and a Node to run them in PATH.
install_node_packages() {
  if [ "$(node -p 'process.versions.node.split(".")[0]')" -lt "$OLDEST_NODE" ]; then
    local own=$PWD/target/node
    if [ ! -x "$own/node_modules/.bin/node" ]; then
      step "Fetching Node $OWN_NODE for the browser tests"
      npm install --prefix "$own" --no-audit --no-fund --loglevel=error "node@$OWN_NODE" >&2
    fi
    export PATH="$own/node_modules/.bin:$PATH"
  fi
  npm_install end2end "the browser tests' packages"
}

# usage: npm_install FOLDER WHAT   as the folder's lock file says
npm_install() {
  # npm notes what it has installed; a lock file older than the note needs no npm.
  local note=$1/node_modules/.package-lock.json
  [ ! "$note" -nt "$1/package-lock.json" ] || return 0
  step "Fetching $2"
  PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm --prefix "$1" ci --no-audit --no-fund --loglevel=error >&2
  touch "$note"
}

# The folder of initdb and pg_ctl, of the newest version; nothing where there is none. Debian keeps them out of PATH.
postgres_programs() {
  local newest
  newest=$(find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1) || true
  if [ -n "$newest" ]; then dirname "$newest"
  elif have initdb; then dirname "$(command -v initdb)"
  fi
}

# The server embeds the site of its own target folder, but the site stays here where that folder is elsewhere.
embed_own_site() {
  if [ -n "${CARGO_TARGET_DIR:-}" ]; then
    export AFTERLIVE_SITE=$PWD/target/site
  fi
}
