"""Answers leave at once."""

import os
import socket
import threading
from contextlib import closing

from bnviz.ui.web.nagle import send_at_once


def nodelay(connection: socket.socket) -> bool:
    return bool(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


def test_connections_to_this_process_send_at_once() -> None:
    with closing(socket.socket(socket.AF_INET)) as server:  # as Streamlit makes it: the protocol is not named
        server.bind(("127.0.0.1", 0))
        server.listen()
        send_at_once()
        with closing(socket.create_connection(server.getsockname())) as client:
            connection, _ = server.accept()
            with closing(connection):
                assert nodelay(connection)
                assert not nodelay(client), "sockets that do not listen stay as they were"


def test_other_open_files_are_left_alone() -> None:
    one, other = socket.socketpair()
    with closing(one), closing(other):
        threading.Thread(target=send_at_once).start()
        send_at_once()
        one.sendall(b"still open")
        assert other.recv(32) == b"still open"


def test_no_copy_of_an_open_file_stays_behind() -> None:
    """Else whoever reads from a pipe of this process would never come to its end."""
    reads, writes = os.pipe()
    send_at_once()
    os.close(writes)
    os.set_blocking(reads, False)  # so that a copy is told, and not waited for
    assert os.read(reads, 1) == b""
    os.close(reads)
