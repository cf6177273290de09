import { fromBinary } from '@bufbuild/protobuf';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { Clock } from '../../../base/clock.ts';
import { Events } from './gen/events_pb.ts';
import { TaskExitSchema } from './gen/task-events_pb.ts';
import { type Grpc, namespace } from './grpc.ts';

/** The exit of a container's first process, as containerd's event tells it. */
export interface TaskExited {
  readonly containerId: string;
  readonly exitCode: number;
  readonly exitedAt: number;
}

/**
 * Follows containerd's exits until `signal` aborts. The subscription ends when containerd does: then `onLost` is awaited (it brings
 * containerd back) and it begins anew, with `onSubscribed` called each time, to look for what was missed in between.
 */
export async function followExits(
  grpc: Grpc,
  clock: Clock,
  signal: AbortSignal,
  listener: {
    readonly onExit: (exit: TaskExited) => void;
    readonly onSubscribed: () => void;
    readonly onLost: (error: unknown) => Promise<void>;
  },
): Promise<void> {
  while (!signal.aborted) {
    const filters = [`topic=="/tasks/exit",namespace==${namespace}`];
    const stream = grpc.serverStream(Events.method.subscribe, { filters });
    const cancel = () => stream.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    // Headers come only with the first event; containerd has subscribed before it reads a later call on the connection.
    listener.onSubscribed();
    try {
      for await (const envelope of stream) {
        if (!envelope.event) continue;
        const exit = fromBinary(TaskExitSchema, envelope.event.value);
        if (exit.id !== exit.containerId) continue;
        const exitedAt = exit.exitedAt ? timestampMs(exit.exitedAt) : clock.now();
        listener.onExit({ containerId: exit.containerId, exitCode: exit.exitStatus, exitedAt });
      }
    } catch (error) {
      if (signal.aborted) return;
      await listener.onLost(error);
    } finally {
      signal.removeEventListener('abort', cancel);
    }
    await clock.sleep(100, signal).catch(() => undefined);
  }
}
