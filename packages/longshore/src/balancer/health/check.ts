import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { HealthCheckDocument } from '../../protocol/documents.ts';
import { type CheckResult, failed, matches, mismatch, timedOut } from './health.ts';

/**
 * One health check, sent from the load balancer's own interface: its HAProxy takes the connection on a Unix socket, which
 * reaches across network namespaces, and goes on to the address of the PROXY header. So security groups count for checks as
 * they do for requests. Always resolves, in a little over the check's timeout at most;
 * with nothing where HAProxy itself can't be reached, which says nothing about the target.
 */
export function runCheck(
  socketPath: string,
  target: { readonly id: string; readonly port: number },
  check: HealthCheckDocument,
): Promise<CheckResult | undefined> {
  return new Promise((resolve) => {
    const port = check.port === 'traffic-port' ? target.port : Number(check.port);
    const socket = connect(socketPath);
    const finish = (result: CheckResult | undefined): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    const timer = setTimeout(() => finish(timedOut), check.timeoutSeconds * 1000);
    socket.on('error', () =>
      finish(socket.connecting || socket.bytesRead + socket.bytesWritten === 0 ? undefined : failed),
    );
    socket.write(`PROXY TCP4 127.0.0.1 ${target.id} 1 ${port}\r\n`);
    const stream: Socket = check.protocol === 'HTTPS' ? connectTls({ socket, rejectUnauthorized: false }) : socket;
    stream.on('error', () => finish(failed));
    const sent = request({
      createConnection: () => stream,
      method: 'GET',
      path: check.path || '/',
      headers: { host: `${target.id}:${port}`, 'user-agent': 'ELB-HealthChecker/2.0', connection: 'close' },
    });
    sent.on('error', () => finish(failed));
    sent.on('response', (response) => {
      const status = response.statusCode ?? 0;
      response.resume().on('error', () => undefined);
      finish(matches(check.matcher, status) ? { passed: true } : mismatch(status));
    });
    sent.end();
  });
}
