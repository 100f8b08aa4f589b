"""A mail host that does STARTTLS, and nothing else, with certificates that it is given: for openssl s_client."""

import socket
import ssl
import threading


class Server:
    """Shows the certificate of each folder, by the kind of key that the client takes; without one it offers no STARTTLS."""

    def __init__(self, folders):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if folders else None
        for folder in folders:
            self.context.load_cert_chain(f"{folder}/fullchain.pem", f"{folder}/privkey.pem")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.at = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self):
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            with connection:
                connection.settimeout(30)
                try:
                    self._talk(connection)
                except OSError:  # it takes no certificate of these
                    pass

    def _talk(self, connection):
        connection.sendall(b"220 mx.example.org ESMTP\r\n")
        connection.recv(1000)
        connection.sendall(b"250-mx.example.org\r\n250-STARTTLS\r\n250 HELP\r\n" if self.context else b"250 mx.example.org\r\n")
        if connection.recv(1000)[:8].upper() != b"STARTTLS" or not self.context:
            return
        connection.sendall(b"220 go on\r\n")
        with self.context.wrap_socket(connection, server_side=True) as encrypted:
            while encrypted.recv(1000):
                pass
