#!/usr/bin/env bash
# Real mail servers for the tests, on loopback: Dovecot for IMAP, aiosmtpd for SMTP, and a token server that both ask.
#
#   tests/mail/servers.sh start DIR     installs what is missing, starts them; their ports are then in DIR/env
#   tests/mail/servers.sh stop DIR      stops them
#
# The tests find them by DAYBRIEF_MAIL_SERVERS=DIR. Every account NAME@example.org exists, with the password "secret" and
# the first refresh token "refresh-0-NAME@example.org" (token_server.py).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
action=${1:?start or stop}
dir=${2:?a folder}

stop() {
  for name in dovecot smtp tokens; do
    if [ -f "$dir/$name.pid" ]; then
      pid=$(cat "$dir/$name.pid")
      kill "$pid" 2>/dev/null || true
      for _ in $(seq 50); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
      done
      rm -f "$dir/$name.pid"
    fi
  done
  if [ -f "$dir/work" ]; then
    rm -rf "$(cat "$dir/work")"
    rm -f "$dir/work" "$dir/env"
  fi
}

if [ "$action" = stop ]; then
  stop
  exit 0
fi
[ "$action" = start ] || { echo "servers.sh: start or stop, not $action" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "servers.sh: Dovecot gives mail to accounts of its own, so start this as root" >&2; exit 1; }

if ! command -v dovecot >/dev/null || ! [ -x /usr/lib/dovecot/imap ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends dovecot-imapd >/dev/null
fi
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
stop
venv="$dir/venv"
python=python3
if ! python3 -c 'import aiosmtpd' 2>/dev/null; then
  if ! [ -x "$venv/bin/pip" ]; then
    python3 -m venv "$venv" >/dev/null || {
      apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
      python3 -m venv "$venv"
    }
  fi
  "$venv/bin/python" -c 'import aiosmtpd' 2>/dev/null || "$venv/bin/pip" install -q aiosmtpd
  python="$venv/bin/python"
fi

# Where the mail lies: a short path, for Dovecot's sockets, that an account without rights can reach.
work=$(mktemp -d /tmp/daybrief-mail.XXXXXX)
echo "$work" > "$dir/work"

# An authority of our own and a certificate of it: TLS is checked as anywhere else.
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=daybrief test authority" \
  -keyout "$work/ca.key" -out "$work/ca.pem" 2>/dev/null
openssl req -newkey rsa:2048 -nodes -subj "/CN=localhost" -keyout "$work/server.key" -out "$work/server.csr" 2>/dev/null
printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n' > "$work/ext"
openssl x509 -req -in "$work/server.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -days 30 \
  -extfile "$work/ext" -out "$work/server.pem" 2>/dev/null

# The mail belongs to an account without rights; the servers' own folders do not.
owner=$(id -u mail) group=$(id -g mail)
mkdir -p "$work/run" "$work/mail" "$work/faults"
echo secret > "$work/password"
chmod 755 "$work"
chown "$owner:$group" "$work/mail" "$work/faults"

read -r imap imaps smtp smtps tokens < <(python3 - <<'PY'
import socket
held = [socket.socket() for _ in range(5)]
for one in held:
    one.bind(("127.0.0.1", 0))
print(*[one.getsockname()[1] for one in held])
PY
)

cat > "$work/dovecot.conf" <<CONF
base_dir = $work/run/base
state_dir = $work/run/state
protocols = imap
listen = 127.0.0.1, 127.0.0.2
ssl = yes
ssl_cert = <$work/server.pem
ssl_key = <$work/server.key
disable_plaintext_auth = no
auth_mechanisms = plain login xoauth2 oauthbearer
log_path = $work/dovecot.log
mail_location = maildir:$work/mail/%u/Maildir
mail_uid = $owner
mail_gid = $group
first_valid_uid = 1
mail_max_userip_connections = 100
service imap-login {
  inet_listener imap {
    port = $imap
  }
  inet_listener imaps {
    port = $imaps
    ssl = yes
  }
}
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = $work/dovecot-oauth2.conf.ext
}
passdb {
  driver = static
  mechanisms = plain login
  args = password=secret allow_nets=127.0.0.0/8
}
userdb {
  driver = static
  args = uid=$owner gid=$group home=$work/mail/%u allow_all_users=yes
}
namespace inbox {
  inbox = yes
  separator = /
  mailbox Trash {
    special_use = \\Trash
    auto = create
  }
  mailbox Entwürfe {
    special_use = \\Drafts
    auto = create
  }
}
# At the second address the server can do no more than the first IMAP4rev1 could.
local 127.0.0.2 {
  protocol imap {
    imap_capability = IMAP4rev1
  }
  imap_capability = IMAP4rev1
}
CONF
cat > "$work/dovecot-oauth2.conf.ext" <<CONF
introspection_url = http://127.0.0.1:$tokens/introspect
introspection_mode = auth
force_introspection = yes
username_attribute = username
CONF
dovecot -F -c "$work/dovecot.conf" </dev/null >"$work/dovecot.out" 2>&1 &
echo $! > "$dir/dovecot.pid"
python3 "$here/token_server.py" "$work" "$tokens" "$owner" "$group" </dev/null >"$work/tokens.out" 2>&1 &
echo $! > "$dir/tokens.pid"
"$python" "$here/smtp_sink.py" "$work" "$smtp" "$smtps" "$owner" "$group" "$tokens" </dev/null >"$work/smtp.out" 2>&1 &
echo $! > "$dir/smtp.pid"

answers() { python3 -c "import socket,sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 1)" "$1" 2>/dev/null; }
for port in $tokens $imap $imaps $smtp $smtps; do
  for try in $(seq 150); do
    if answers "$port"; then break; fi
    if [ "$try" = 150 ]; then
      echo "servers.sh: nothing answers at port $port" >&2
      tail -n 20 "$work/dovecot.out" "$work/dovecot.log" "$work/smtp.out" "$work/tokens.out" >&2 || true
      stop
      exit 1
    fi
    sleep 0.2
  done
done
printf 'imap=%s\nimaps=%s\nsmtp=%s\nsmtps=%s\ntokens=%s\nca=%s\nwork=%s\n' "$imap" "$imaps" "$smtp" "$smtps" "$tokens" "$work/ca.pem" "$work" > "$dir/env"
echo "mail servers: IMAP at $imap and $imaps, SMTP at $smtp and $smtps"
