"""An SMTP server that puts each mail into its reader's Maildir, where Dovecot finds it, and that can break on demand.

Files in DIR/faults make it break, once each:
  drop-ADDRESS   takes the mail and hangs up without a reply
  hang-ADDRESS   takes the mail, says so in taken-ADDRESS, and gives no reply while the file is there
  defer-ADDRESS  refuses for now
  reject-ADDRESS refuses for good
"""

import asyncio
import base64
import concurrent.futures.thread  # both are loaded late otherwise, when the rights to read them are gone
import encodings.idna
import json
import mailbox
import os
import pathlib
import ssl
import sys
import urllib.error
import urllib.request

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

folder = pathlib.Path(sys.argv[1])
faults = folder / "faults"


def is_asked(fault, address):
    path = faults / f"{fault}-{address}"
    if path.exists():
        path.unlink()
        return True
    return False


def whose(token):
    """Asks the token server."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{sys.argv[6]}/introspect", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)["username"]
    except urllib.error.HTTPError:
        return None


class Deliver:
    async def auth_XOAUTH2(self, server, args):
        said = base64.b64decode(args[1]).decode().split("\x01")
        user, token = said[0].removeprefix("user="), said[1].removeprefix("auth=Bearer ")
        if await asyncio.to_thread(whose, token) == user:
            return AuthResult(success=True)
        # Gmail's way: a challenge tells why, and after an empty answer the refusal follows.
        await server.challenge_auth('{"status":"400","schemes":"Bearer"}')
        return AuthResult(success=False, handled=False)

    async def handle_DATA(self, server, session, envelope):
        for address in envelope.rcpt_tos:
            if is_asked("defer", address):
                return "451 4.3.0 come back later"
            if is_asked("reject", address):
                return "550 5.7.1 not this one"
        for address in envelope.rcpt_tos:
            home = folder / "mail" / address / "Maildir"
            for part in ("tmp", "new", "cur"):
                (home / part).mkdir(parents=True, exist_ok=True)
            mailbox.Maildir(home).add(envelope.content)
        for address in envelope.rcpt_tos:
            if is_asked("drop", address):
                server.transport.abort()
                return "250 nobody hears this"
            hang = faults / f"hang-{address}"
            if hang.exists():
                (faults / f"taken-{address}").touch()
                while hang.exists():
                    await asyncio.sleep(0.05)
        return "250 2.0.0 taken"


def authenticate(server, session, envelope, mechanism, data):
    return AuthResult(success=data.password == b"secret", handled=False)


context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(folder / "server.pem", folder / "server.key")
options = dict(hostname="127.0.0.1", authenticator=authenticate, auth_require_tls=False, data_size_limit=64 << 20)
clear = Controller(Deliver(), port=int(sys.argv[2]), tls_context=context, **options)
secure = Controller(Deliver(), port=int(sys.argv[3]), ssl_context=context, **options)
clear.start()
secure.start()
# The mail belongs to an account without rights, and from here on so does this process.
os.setgroups([])
os.setgid(int(sys.argv[5]))
os.setuid(int(sys.argv[4]))
asyncio.new_event_loop().run_forever()
