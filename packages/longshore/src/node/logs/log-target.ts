import type { PayloadContainer } from '../../protocol/payload.ts';
import { hostConfigOf } from '../task/container-spec.ts';

/** Where a container's output goes: a CloudWatch Logs stream. */
export interface LogTarget {
  readonly group: string;
  readonly stream: string;
  readonly createGroup: boolean;
}

/**
 * The awslogs options of a container (AWS, "awslogs log driver": stream `PREFIX/CONTAINER/TASK-ID`); undefined where the
 * definition configures no logs. Throws Error for a driver that does not exist here and for options that lack the group.
 */
export function logTargetOf(container: PayloadContainer, taskId: string): LogTarget | undefined {
  const { Type: driver, Config: options = {} } = hostConfigOf(container).LogConfig ?? {};
  if (!driver || driver === 'none') return undefined;
  if (driver !== 'awslogs') throw new Error(`the log driver "${driver}" is not available on this node: use "awslogs"`);
  const group = options['awslogs-group'];
  if (!group) throw new Error('missing option "awslogs-group"');
  const prefix = options['awslogs-stream-prefix'];
  return {
    group,
    stream:
      options['awslogs-stream'] ?? (prefix ? `${prefix}/${container.name}/${taskId}` : `${container.name}/${taskId}`),
    createGroup: options['awslogs-create-group'] === 'true',
  };
}
