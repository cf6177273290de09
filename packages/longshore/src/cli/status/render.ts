import type { ContainerInstance, Service, Task } from '@aws-sdk/client-ecs';
import { age, table } from '../table.ts';
import type { BalancerStatus, ClusterStatus, Status } from './gather.ts';

/** Styles that the caller's terminal has, or none. */
export interface Styles {
  heading(text: string): string;
  dim(text: string): string;
  trouble(text: string): string;
}

const last = (arn: string | undefined) => arn?.split('/').at(-1) ?? '';
/** awsJson sends times as seconds since the epoch. */
const milliseconds = (time: unknown) => Number(time) * 1000;
const stoppedShown = 3;

/** The status as lines of at most `width` columns. `now` in milliseconds. */
export function render(status: Status, width: number, now: number, styles: Styles): string[] {
  const lines = status.clusters.flatMap((cluster) => clusterLines(cluster, width, now, styles));
  if (status.clusters.length === 0)
    lines.push(styles.dim('No clusters yet. Deploy something: longshore deploy ./my-app'), '');
  if (status.balancers.length > 0) lines.push(...balancerLines(status.balancers, width, styles), '');
  lines.push(...nodeLines(status.nodes, width, styles));
  return lines;
}

function clusterLines(
  { cluster, services, tasks }: ClusterStatus,
  width: number,
  now: number,
  styles: Styles,
): string[] {
  const counts = [
    `${services.length} service${services.length === 1 ? '' : 's'}`,
    `${cluster.runningTasksCount ?? 0} running`,
    ...(cluster.pendingTasksCount ? [`${cluster.pendingTasksCount} pending`] : []),
  ];
  const lines = [`${styles.heading(`Cluster ${cluster.clusterName}`)}  ${counts.join(', ')}`, ''];
  if (services.length > 0) {
    const rows = services.flatMap((service) => deploymentRows(service));
    lines.push(
      ...indent(table(['SERVICE', 'DESIRED', 'RUNNING', 'PENDING', 'DEPLOYMENT', 'REVISION'], rows, width - 2), styles),
      '',
    );
  }
  const current = tasks.filter((task) => task.lastStatus !== 'STOPPED');
  if (current.length > 0) {
    const rows = current.map((task) => taskRow(task, now));
    lines.push(...indent(table(['TASK', 'OF', 'STATUS', 'HEALTH', 'ADDRESS', 'AGE'], rows, width - 2), styles), '');
  }
  const stopped = tasks
    .filter(
      (task) =>
        task.lastStatus === 'STOPPED' &&
        task.stopCode !== 'ServiceSchedulerInitiated' &&
        task.stopCode !== 'UserInitiated',
    )
    .sort((one, other) => milliseconds(other.stoppedAt) - milliseconds(one.stoppedAt))
    .slice(0, stoppedShown);
  if (stopped.length > 0) {
    const rows = stopped.map((task) => [
      last(task.taskArn).slice(0, 12),
      owner(task),
      `${age(milliseconds(task.stoppedAt), now)} ago`,
      task.stoppedReason ?? '',
    ]);
    lines.push(...indent(table(['STOPPED', 'OF', 'WHEN', 'WHY'], rows, width - 2), styles), '');
  }
  return lines;
}

/** A service is one row, and while deployments overlap one for each. */
function deploymentRows(service: Service): string[][] {
  const deployments = service.deployments ?? [];
  if (deployments.length === 0) {
    return [
      [
        service.serviceName ?? '',
        `${service.desiredCount}`,
        `${service.runningCount}`,
        `${service.pendingCount}`,
        service.status ?? '',
        last(service.taskDefinition),
      ],
    ];
  }
  return deployments.map((deployment, index) => [
    index === 0 ? (service.serviceName ?? '') : '',
    `${deployment.desiredCount ?? 0}`,
    `${deployment.runningCount ?? 0}`,
    `${deployment.pendingCount ?? 0}`,
    `${deployment.status ?? ''}${deployment.rolloutState ? ` ${deployment.rolloutState}` : ''}`,
    last(deployment.taskDefinition),
  ]);
}

const owner = (task: Task) => (task.group ?? '').replace(/^(service|family):/, '');

function taskRow(task: Task, now: number): string[] {
  const details = task.attachments?.find((attachment) => attachment.type === 'ElasticNetworkInterface')?.details ?? [];
  const address = details.find((detail) => detail.name === 'privateIPv4Address')?.value ?? '';
  const health = task.healthStatus === 'UNKNOWN' ? '-' : (task.healthStatus ?? '-');
  return [
    last(task.taskArn).slice(0, 12),
    owner(task),
    task.lastStatus ?? '',
    health,
    address,
    age(milliseconds(task.startedAt ?? task.createdAt), now),
  ];
}

/** URLs are never cut: one copies them. They stand on lines of their own. */
function balancerLines(balancers: readonly BalancerStatus[], width: number, styles: Styles): string[] {
  const lines = [styles.heading('Load balancers'), ''];
  for (const { name, state, url, healthy, targets, reasons } of balancers) {
    const health = `${healthy} of ${targets} targets healthy`;
    lines.push(`  ${name}  ${state}  ${healthy < targets ? styles.trouble(health) : health}`, `    ${url}`);
    for (const reason of reasons.slice(0, 2)) lines.push(`    ${styles.dim(reason.slice(0, width - 4))}`);
  }
  return lines;
}

function nodeLines(nodes: readonly ContainerInstance[], width: number, styles: Styles): string[] {
  if (nodes.length === 0) return [styles.trouble('No node is connected: tasks wait until one is.')];
  // Machines of Fargate are promised several times over, so that what is free could be less than nothing.
  const used = (node: ContainerInstance, name: string) => {
    const amount = (list: ContainerInstance['registeredResources']) =>
      list?.find((resource) => resource.name === name)?.integerValue ?? 0;
    const all = amount(node.registeredResources);
    return `${all - amount(node.remainingResources)} of ${all}`;
  };
  const rows = nodes.map((node) => [
    last(node.containerInstanceArn).slice(0, 12),
    `${node.status ?? ''}${node.agentConnected ? '' : ', away'}`,
    `${node.runningTasksCount ?? 0}`,
    used(node, 'CPU'),
    used(node, 'MEMORY'),
  ]);
  return [
    styles.heading('Nodes'),
    '',
    ...indent(table(['NODE', 'STATUS', 'TASKS', 'CPU ASKED', 'MIB ASKED'], rows, width - 2), styles),
  ];
}

function indent(lines: readonly string[], styles: Styles): string[] {
  return lines.map((line, index) => `  ${index === 0 ? styles.dim(line) : line}`);
}
