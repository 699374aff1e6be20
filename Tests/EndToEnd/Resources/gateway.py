"""Stands between a worker and a server as in some networks: a TLS server, and the only HTTP proxy that reaches it.

    gateway.py SERVER_PORT CERTIFICATE KEY

Prints the port of the proxy, then a line for each tunnel. The certificate has a name that only the proxy resolves.
"""

import asyncio
import ssl
import sys

NAME = "prefect.internal"


async def pipe(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except (OSError, ssl.SSLError):
        pass
    finally:
        writer.close()


async def join(reader, writer, port):
    try:
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(pipe(reader, other_writer), pipe(other_reader, writer))


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    tls = await asyncio.start_server(
        lambda reader, writer: join(reader, writer, int(sys.argv[1])), "127.0.0.1", 0, ssl=context
    )
    tls_port = tls.sockets[0].getsockname()[1]

    async def tunnel(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b" ", 2)
        if method != b"CONNECT" or target.decode() != f"{NAME}:443":
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            writer.close()
            return
        print("tunnel", flush=True)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await join(reader, writer, tls_port)

    proxy = await asyncio.start_server(tunnel, "127.0.0.1", 0)
    print("proxy", proxy.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
