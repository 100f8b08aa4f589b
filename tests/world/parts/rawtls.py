"""TLS servers that misuse the protocol after a good handshake: what Python's ssl cannot do is done with libssl itself."""

import contextlib
import ctypes
import socket
import threading

PEM = 1
TLS1_2, SET_MAX_VERSION = 0x0303, 124


def _library():
    lib = ctypes.CDLL("libssl.so.3")
    for name in ("TLS_server_method", "SSL_CTX_new", "SSL_new"):
        getattr(lib, name).restype = ctypes.c_void_p
    lib.SSL_CTX_new.argtypes = lib.SSL_new.argtypes = [ctypes.c_void_p]
    lib.SSL_CTX_use_certificate_chain_file.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    lib.SSL_CTX_use_PrivateKey_file.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    lib.SSL_CTX_ctrl.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_void_p]
    lib.SSL_set_fd.argtypes = lib.SSL_key_update.argtypes = [ctypes.c_void_p, ctypes.c_int]
    for name in ("SSL_accept", "SSL_do_handshake", "SSL_new_session_ticket", "SSL_renegotiate", "SSL_free"):
        getattr(lib, name).argtypes = [ctypes.c_void_p]
    return lib


LIB = _library()


def key_updates(ssl):
    return LIB.SSL_key_update(ssl, 0) == 1 and LIB.SSL_do_handshake(ssl) == 1


def session_tickets(ssl):
    return LIB.SSL_new_session_ticket(ssl) == 1 and LIB.SSL_do_handshake(ssl) == 1


def renegotiation(ssl):
    """Only TLS 1.2 knows it."""
    return LIB.SSL_renegotiate(ssl) == 1 and LIB.SSL_do_handshake(ssl) == 1


class RawTlsServer:
    """Each connection gets a handshake, then the misuse again and again until the client leaves."""

    def __init__(self, address, port, chain_file, key_file, misuse):
        self.connections = self.rounds = 0
        self._misuse = misuse
        self._context = LIB.SSL_CTX_new(LIB.TLS_server_method())
        LIB.SSL_CTX_use_certificate_chain_file(self._context, chain_file.encode())
        LIB.SSL_CTX_use_PrivateKey_file(self._context, key_file.encode(), PEM)
        if misuse is renegotiation:
            LIB.SSL_CTX_ctrl(self._context, SET_MAX_VERSION, TLS1_2, None)
        self._listener = socket.create_server((address, port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        self.connections += 1
        ssl = LIB.SSL_new(self._context)
        with contextlib.closing(connection):
            LIB.SSL_set_fd(ssl, connection.fileno())
            if LIB.SSL_accept(ssl) == 1:
                while self._misuse(ssl):
                    self.rounds += 1
            LIB.SSL_free(ssl)
