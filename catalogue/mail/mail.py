"""A mail for each message. `{field}` in texts is that field of the message."""

import contextlib
import json
import re
import smtplib
import ssl
import zlib
from email.message import EmailMessage
from email.utils import formatdate

LOGIN = {530, 534, 535, 538}  # of the codes above 500, those that say who may send: they are not about this mail


class PermanentError(Exception):
    """No new try mends it, so the runner makes none."""


def check_config(config):
    if ("user" in config) != ("password" in config):
        return {"user" if "user" in config else "password": "is given alone: `user` and `password` belong together"}


def run(message, context):
    config = context.config
    mail = EmailMessage()
    mail["From"], mail["To"] = config["from"], ", ".join(config["to"])
    mail["Subject"] = " ".join(filled(config["subject"], message).splitlines())
    mail["Date"] = formatdate()
    mail["Message-ID"] = f"<{re.sub(r'[^A-Za-z0-9.]', '-', f'{context.flow_id}-{identity(message, context)}')}@runner>"
    text = config.get("text")
    try:
        mail.set_content(json.dumps(message, ensure_ascii=False, indent=2) if text is None else filled(text, message))
    except (TypeError, ValueError) as error:
        raise PermanentError(f"the message cannot be written as JSON: {error}") from None
    kind = smtplib.SMTP_SSL if config["security"] == "tls" else smtplib.SMTP
    try:
        connection = kind(config["host"], config["port"], timeout=config["timeout_s"])
    except OSError as error:
        raise ConnectionError(
            f"no mail server at {config['host']}:{config['port']}: {error.strerror or error}"
        ) from None
    with contextlib.closing(connection) as server:
        if config["security"] == "starttls":
            server.starttls(context=ssl.create_default_context())
        if "user" in config:
            server.login(config["user"], config["password"])
        try:
            refused = server.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            refused = error.recipients
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            refused = {config["from"]: (error.smtp_code, error.smtp_error)}
        with contextlib.suppress(smtplib.SMTPException, OSError):  # taken is taken, whatever it says to that
            server.quit()
    if refused:  # some of those it goes to may have it
        final = all(code >= 500 and code not in LOGIN for code, _ in refused.values())
        said = "; ".join(
            f"{who}: {code} {b' '.join(text.split()).decode(errors='replace')}" for who, (code, text) in refused.items()
        )
        raise (PermanentError if final else RuntimeError)(f"{config['host']}:{config['port']} does not take it: {said}")


def identity(message, context):
    """The same when a message comes again. A number that was given to another one, which died with its runner, is not
    enough: what it says counts, too.
    """
    text = json.dumps(message, sort_keys=True, default=repr)
    return f"{context.message_id} {zlib.crc32(text.encode()):08x}"


def filled(text, message):
    return re.sub(r"\{([\w.]+)\}", lambda found: str(field(message, found[1])), text)


def field(message, path):
    for name in path.split("."):
        message = message.get(name, "") if isinstance(message, dict) else ""
    return message
