import type { Socket } from 'node:net';

/**
 * What `aws:SecureTransport` says of a connection: that nobody else could read it. True for TLS, and for loopback, which never
 * leaves the machine; policies that demand it (CDK's bootstrap bucket) are meant to keep strangers out, not the machine itself.
 */
export function secureTransport(socket: Socket): boolean {
  if ('encrypted' in socket) return true;
  const address = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  return address === '::1' || address.startsWith('127.');
}
