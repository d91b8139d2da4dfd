#!/bin/sh
# Installs what `make test` needs beside Go, git and make, or says what to install.
missing=
command -v gcc >/dev/null 2>&1 || missing="$missing gcc libc6-dev"
command -v curl >/dev/null 2>&1 || missing="$missing curl"
command -v redis-server >/dev/null 2>&1 || missing="$missing redis-server"
command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || missing="$missing chromium"
[ -z "$missing" ] && exit 0
if command -v apt-get >/dev/null 2>&1; then
  sudo=
  [ "$(id -u)" = 0 ] || sudo="sudo -n"
  echo "installing:$missing"
  export DEBIAN_FRONTEND=noninteractive
  if $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 ||
    { $sudo apt-get update -qq >/dev/null 2>&1 && $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1; }; then
    exit 0
  fi
fi
echo "make test needs these packages and could not install them:$missing" >&2
echo "Install them with your system's package manager (Debian and Ubuntu: apt-get install$missing) and run make test again." >&2
exit 1
