import type { WebSocket } from 'ws';
import type { Clock } from '../../../base/clock.ts';
import type { Logger } from '../../../base/log.ts';
import type { Random } from '../../../base/random.ts';

const heartbeatMs = 30_000;

export interface TelemetryParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Told what an agent found of its containers' health. */
  onHealth(taskArn: string, containers: readonly { readonly name: string; readonly status: string }[]): Promise<void>;
}

interface Frame {
  readonly type: string;
  readonly message: {
    readonly tasks?: readonly {
      readonly taskArn: string;
      readonly containers?: readonly { readonly containerName: string; readonly healthStatus: string }[];
    }[];
  };
}

const answers: Readonly<Record<string, string>> = {
  PublishMetricsRequest: 'AckPublishMetric',
  PublishHealthRequest: 'AckPublishHealth',
  PublishInstanceStatusRequest: 'AckPublishInstanceStatus',
};

/**
 * The telemetry session (TCS): figures are acknowledged, health is passed on. Every frame of Amazon's agent is header
 * lines, an empty line, then the envelope.
 */
export function answerTelemetry(socket: WebSocket, { clock, random, log, onHealth }: TelemetryParts): void {
  const send = (type: string, message: object) => socket.send(JSON.stringify({ type, message }), () => undefined);
  let cancel = () => {};
  const beat = () => {
    cancel = clock.after(heartbeatMs, () => {
      send('HeartbeatMessage', { healthy: true });
      beat();
    });
  };
  socket.on('close', () => cancel());
  socket.on('error', (error) => log.debug({ err: error }, 'a telemetry session broke'));
  socket.on('message', (data) => {
    try {
      const text = data.toString();
      const start = text.startsWith('{') ? 0 : text.indexOf('\r\n\r\n') + 4;
      const { type, message } = JSON.parse(text.slice(start)) as Frame;
      for (const task of type === 'PublishHealthRequest' ? (message.tasks ?? []) : []) {
        const containers = (task.containers ?? []).map((one) => ({
          name: one.containerName,
          status: one.healthStatus,
        }));
        onHealth(task.taskArn, containers).catch((error: unknown) =>
          log.error({ err: error, task: task.taskArn }, 'health of a task could not be kept'),
        );
      }
      const answer = answers[type];
      if (answer) send(answer, { message: 'ok', messageId: random.uuid() });
    } catch (error) {
      log.warn({ err: error }, 'a telemetry frame could not be read');
    }
  });
  beat();
}
