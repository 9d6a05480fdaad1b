"""A token server as Gmail and Microsoft 365 have one: refresh tokens in, access tokens out, and who asks is told if they are good.

  token_server.py DIR PORT UID GID

POST /token changes "refresh-N-ADDRESS" into an access token and "refresh-N+1-ADDRESS"; N begins at 0 and the old one ends.
GET /introspect tells Dovecot and the SMTP server whose an access token is.

Files in DIR/faults:
  ended-ADDRESS    no refresh token of this account is good while it is there
  revoked-ADDRESS  ends every access token the account has, once, when the next one is shown
"""

import base64
import collections
import http.server
import json
import os
import pathlib
import re
import sys
import threading
import urllib.parse

faults = pathlib.Path(sys.argv[1]) / "faults"
generations = collections.Counter()
tokens = {}
turn = threading.Lock()


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        with turn:
            user = tokens.get(token)
            revoked = faults / f"revoked-{user}"
            if user and revoked.exists():
                revoked.unlink()
                for each in [each for each, whose in tokens.items() if whose == user]:
                    del tokens[each]
                user = None
        if user:
            self.answer(200, {"active": True, "username": user})
        else:
            self.answer(401, {"error": "invalid_token"})

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        asked = dict(urllib.parse.parse_qsl(text))
        if (asked.get("client_id"), asked.get("client_secret")) != ("daybrief", "geheim-app"):
            return self.answer(401, {"error": "invalid_client"})
        named = re.fullmatch(r"refresh-(\d+)-(.+)", asked.get("refresh_token", ""))
        with turn:
            is_good = named and asked.get("grant_type") == "refresh_token" and int(named[1]) == generations[named[2]]
            if not is_good or (faults / f"ended-{named[2]}").exists():
                return self.answer(400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."})
            user = named[2]
            generations[user] += 1
            token = "access-" + base64.urlsafe_b64encode(os.urandom(24)).decode()
            tokens[token] = user
            after = f"refresh-{generations[user]}-{user}"
        self.answer(200, {"access_token": token, "refresh_token": after, "expires_in": 3600, "token_type": "Bearer"})

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Answers)
os.setgroups([])
os.setgid(int(sys.argv[4]))
os.setuid(int(sys.argv[3]))
server.serve_forever()
