import type { Container } from '@aws-sdk/client-ecs';
import { Fault } from '../../../wire/fault.ts';
import { taskChanged } from '../announce.ts';
import { fault } from '../faults.ts';
import { type EcsParts, type EcsTx, foreign } from '../parts.ts';
import type { TaskRow } from '../tables.ts';
import { type TaskDocument, taskDocument } from './document.ts';
import { afterReport, healthOf, type Report } from './report.ts';

/** Every change of a task's state that is not its launch. */
export interface Transitions {
  /** Takes an agent's report in. Throws InvalidParameterException for a task that is not known. */
  report(taskArn: string, report: Report): Promise<void>;
  health(taskArn: string, containers: readonly { readonly name: string; readonly status: string }[]): Promise<void>;
  /** Asks for a task to be stopped; nothing where it was asked before. Its row afterwards. */
  requestStop(tx: EcsTx, row: TaskRow, stopCode: string, reason: string): Promise<TaskRow>;
  /** Frees the interface of a task whose containers are gone, and calls it STOPPED. */
  deprovision(taskArn: string): Promise<void>;
}

/** A task's way through its states, with what each step does to interfaces and targets. */
export function transitions(parts: EcsParts, forget: (taskArn: string) => void): Transitions {
  const { store, clock, ec2, elbv2, log } = parts;

  async function save(tx: EcsTx, row: TaskRow): Promise<void> {
    const { arn, ...columns } = row;
    await tx.db.updateTable('ecs_tasks').set(columns).where('arn', '=', arn).execute();
    tx.changed('ecs.task', arn);
    await taskChanged(parts, tx, row);
  }
  const read = (tx: EcsTx, arn: string) =>
    tx.db.selectFrom('ecs_tasks').selectAll().where('arn', '=', arn).executeTakeFirst();

  async function deprovision(taskArn: string): Promise<void> {
    await store.transaction(async (tx) => {
      const row = await read(tx, taskArn);
      if (row?.lastStatus !== 'DEPROVISIONING') return;
      const document = taskDocument(row);
      if (row.targets === 'registered' || row.targets === 'draining')
        for (const target of targetsOf(row, document))
          await elbv2.deregisterTargets(foreign(tx), target.targetGroupArn, [target]).catch((error: unknown) => {
            // A target group that was deleted has forgotten the target already.
            if (!(error instanceof Fault)) throw error;
          });
      if (row.interfaceId) await ec2.deleteInterface(foreign(tx), row.interfaceId);
      const gone: TaskDocument = {
        ...document,
        attachments: document.attachments.map((one) => ({ ...one, status: 'DELETED' })),
      };
      await save(tx, {
        ...row,
        lastStatus: 'STOPPED',
        stoppedAt: clock.now(),
        targets: row.targets === 'none' ? 'none' : 'gone',
        version: row.version + 1,
        document: JSON.stringify(gone),
      });
    });
    forget(taskArn);
  }

  return {
    deprovision,
    async report(taskArn, report) {
      const next = await store.transaction(async (tx) => {
        const row = await read(tx, taskArn);
        if (!row) throw fault('InvalidParameterException', `Unknown task: ${taskArn}`);
        const after = afterReport(row, report, clock.now());
        if (after) await save(tx, after);
        return after;
      });
      if (next?.lastStatus === 'DEPROVISIONING')
        await deprovision(taskArn).catch((error: unknown) =>
          log.error({ err: error, task: taskArn }, "a stopped task's interface could not be freed: it is tried again"),
        );
    },
    async health(taskArn, containers) {
      await store.transaction(async (tx) => {
        const row = await read(tx, taskArn);
        if (!row || row.lastStatus === 'STOPPED') return;
        const document = taskDocument(row);
        const states = new Map(containers.map((one) => [one.name, one.status]));
        const next = document.containers.map((container): Container => {
          const state = states.get(container.name ?? '');
          return state === 'HEALTHY' || state === 'UNHEALTHY' || state === 'UNKNOWN'
            ? { ...container, healthStatus: state }
            : container;
        });
        const text = JSON.stringify({ ...document, containers: next });
        if (text === row.document) return;
        await save(tx, { ...row, healthStatus: healthOf(next), version: row.version + 1, document: text });
      });
    },
    async requestStop(tx, row, stopCode, stoppedReason) {
      if (row.desiredStatus === 'STOPPED') return row;
      const next: TaskRow = {
        ...row,
        desiredStatus: 'STOPPED',
        stopCode,
        stoppedReason,
        stoppingAt: clock.now(),
        version: row.version + 1,
      };
      await save(tx, next);
      return next;
    },
  };
}

/** The targets that stand for a task in its target groups. */
export function targetsOf(
  row: Pick<TaskRow, 'privateAddress'>,
  document: Pick<TaskDocument, 'loadBalancers'>,
): readonly { readonly targetGroupArn: string; readonly id: string; readonly port: number }[] {
  return document.loadBalancers.flatMap(({ targetGroupArn, containerPort }) =>
    targetGroupArn && containerPort && row.privateAddress
      ? [{ targetGroupArn, id: row.privateAddress, port: containerPort }]
      : [],
  );
}
