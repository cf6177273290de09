import { connect } from 'node:net';

/** Sends one line to a HAProxy socket (several commands with `;`) and answers what comes back until it closes. */
export function ask(path: string, commands: string, timeoutMs = 5_000): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let answer = '';
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`HAProxy did not answer on ${path} within ${timeoutMs} ms.`));
    }, timeoutMs);
    socket.setEncoding('utf8');
    socket.on('connect', () => socket.write(`${commands}\n`));
    socket.on('data', (text: string) => {
      answer += text;
    });
    socket.on('error', (error) => {
      clearTimeout(timer);
      reject(new Error(`HAProxy can't be reached on ${path}: ${error.message}`));
    });
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(answer);
    });
  });
}
