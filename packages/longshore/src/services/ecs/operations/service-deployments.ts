import type {
  DescribeServiceDeploymentsRequest,
  DescribeServiceDeploymentsResponse,
  DescribeServiceRevisionsRequest,
  DescribeServiceRevisionsResponse,
  ListServiceDeploymentsRequest,
  ListServiceDeploymentsResponse,
  ServiceDeployment,
  ServiceDeploymentStatus,
  ServiceRevision,
} from '@aws-sdk/client-ecs';
import type { AnyOperation } from '../../../wire/service.ts';
import { breakerThreshold } from '../deployments/arithmetic.ts';
import { fault } from '../faults.ts';
import { activeCluster, placeOf } from '../lookups.ts';
import { toArn } from '../names.ts';
import { pageOf } from '../paging.ts';
import type { EcsParts } from '../parts.ts';
import { revisionDocument, serviceDocument } from '../services/document.ts';
import { countsOf, revisionArn } from '../services/render.ts';
import type { DeploymentRow, ServiceRow } from '../tables.ts';
import { withoutUndefined } from '../task-definition/normalise.ts';
import { operation, within } from './table.ts';

const date = (value: number | null) => (value === null ? undefined : new Date(Number(value)));
const clusterOf = (row: DeploymentRow) => row.serviceArn.replace(/:service\/([^/]+)\/.*$/, ':cluster/$1');

/** Service deployments and revisions, which every deployment is told by. */
export function serviceDeploymentOperations(parts: EcsParts): Record<string, AnyOperation> {
  const { store } = parts;

  async function whole(
    row: DeploymentRow,
    service: ServiceRow | undefined,
    counts: Awaited<ReturnType<typeof countsOf>>,
  ): Promise<ServiceDeployment> {
    const source = row.sourceDeploymentId
      ? await store.db
          .selectFrom('ecs_deployments')
          .selectAll()
          .where('id', '=', row.sourceDeploymentId)
          .executeTakeFirst()
      : undefined;
    const configuration = service && serviceDocument(service).deploymentConfiguration;
    const breaker = configuration?.deploymentCircuitBreaker;
    const summary = (one: DeploymentRow) => ({
      arn: revisionArn(one),
      requestedTaskCount: one.status === 'PRIMARY' ? (service?.desiredCount ?? 0) : 0,
      runningTaskCount: counts(one.serviceArn, one.id).running,
      pendingTaskCount: counts(one.serviceArn, one.id).pending,
    });
    return withoutUndefined<ServiceDeployment>({
      serviceDeploymentArn: row.serviceDeploymentArn,
      serviceArn: row.serviceArn,
      clusterArn: clusterOf(row),
      createdAt: date(row.createdAt),
      startedAt: date(row.createdAt),
      finishedAt: row.serviceDeploymentStatus === 'STOPPED' ? undefined : date(row.finishedAt),
      stoppedAt: row.serviceDeploymentStatus === 'STOPPED' ? date(row.finishedAt) : undefined,
      updatedAt: date(row.updatedAt),
      sourceServiceRevisions: source ? [summary(source)] : [],
      targetServiceRevision: summary(row),
      status: row.serviceDeploymentStatus as ServiceDeploymentStatus,
      statusReason: row.serviceDeploymentReason ?? undefined,
      deploymentConfiguration: configuration,
      ...(row.rollbackAt !== null &&
        source && {
          rollback: {
            reason: row.serviceDeploymentReason ?? '',
            startedAt: date(row.rollbackAt),
            serviceRevisionArn: revisionArn(source),
          },
        }),
      deploymentCircuitBreaker: {
        status: !breaker?.enable
          ? 'DISABLED'
          : row.rolloutState === 'FAILED'
            ? 'TRIGGERED'
            : row.finishedAt
              ? 'MONITORING_COMPLETE'
              : 'MONITORING',
        failureCount: row.failedTasks,
        threshold: breakerThreshold(service?.desiredCount ?? 0),
      },
      alarms: { status: 'DISABLED' },
    });
  }

  return {
    ListServiceDeployments: operation<ListServiceDeploymentsRequest, ListServiceDeploymentsResponse>(
      (input, place) => within('service', input, [input.service ?? ''], place),
      async (input, context) => {
        const cluster = await activeCluster(store.db, context, input.cluster);
        const arn = toArn(placeOf(context), 'service', cluster.name, input.service ?? '');
        const service = await store.db
          .selectFrom('ecs_services')
          .select('arn')
          .where('arn', '=', arn)
          .executeTakeFirst();
        if (!service) throw fault('ServiceNotFoundException', 'Service not found.');
        const rows = await store.db.selectFrom('ecs_deployments').selectAll().where('serviceArn', '=', arn).execute();
        const { before, after } = input.createdAt ?? {};
        const fitting = rows.filter(
          (row) =>
            (!input.status?.length || input.status.includes(row.serviceDeploymentStatus as ServiceDeploymentStatus)) &&
            (!before || Number(row.createdAt) <= before.getTime()) &&
            (!after || Number(row.createdAt) >= after.getTime()),
        );
        const page = pageOf(
          fitting,
          (row) => `${String(row.createdAt).padStart(16, '0')} ${row.serviceDeploymentArn}`,
          input,
          'descending',
        );
        return {
          serviceDeployments: page.items.map((row) =>
            withoutUndefined({
              serviceDeploymentArn: row.serviceDeploymentArn,
              serviceArn: row.serviceArn,
              clusterArn: clusterOf(row),
              startedAt: date(row.createdAt),
              createdAt: date(row.createdAt),
              finishedAt: date(row.finishedAt),
              targetServiceRevisionArn: revisionArn(row),
              status: row.serviceDeploymentStatus as ServiceDeploymentStatus,
              statusReason: row.serviceDeploymentReason ?? undefined,
            }),
          ),
          nextToken: page.nextToken,
        };
      },
    ),

    DescribeServiceDeployments: operation<DescribeServiceDeploymentsRequest, DescribeServiceDeploymentsResponse>(
      (input) => (input.serviceDeploymentArns ?? []).map((resource) => ({ resource })),
      async (input) => {
        const arns = input.serviceDeploymentArns ?? [];
        if (arns.length === 0) throw fault('InvalidParameterException', 'serviceDeploymentArns cannot be empty.');
        const rows = await store.db
          .selectFrom('ecs_deployments')
          .selectAll()
          .where('serviceDeploymentArn', 'in', arns)
          .execute();
        const services =
          rows.length === 0
            ? []
            : await store.db
                .selectFrom('ecs_services')
                .selectAll()
                .where(
                  'arn',
                  'in',
                  rows.map((row) => row.serviceArn),
                )
                .execute();
        const counts = await countsOf(
          parts,
          services.map((one) => one.arn),
        );
        return {
          serviceDeployments: await Promise.all(
            rows.map((row) =>
              whole(
                row,
                services.find((one) => one.arn === row.serviceArn),
                counts,
              ),
            ),
          ),
          failures: arns
            .filter((arn) => !rows.some((row) => row.serviceDeploymentArn === arn))
            .map((arn) => ({ arn, reason: 'MISSING' })),
        };
      },
    ),

    DescribeServiceRevisions: operation<DescribeServiceRevisionsRequest, DescribeServiceRevisionsResponse>(
      (input) => (input.serviceRevisionArns ?? []).map((resource) => ({ resource })),
      async (input) => {
        const arns = input.serviceRevisionArns ?? [];
        if (arns.length === 0) throw fault('InvalidParameterException', 'serviceRevisionArns cannot be empty.');
        const ids = arns.map((arn) => `ecs-svc/${arn.slice(arn.lastIndexOf('/') + 1)}`);
        const rows = await store.db.selectFrom('ecs_deployments').selectAll().where('id', 'in', ids).execute();
        const fitting = rows.filter((row) => arns.includes(revisionArn(row)));
        return {
          serviceRevisions: fitting.map((row): ServiceRevision => {
            const {
              loadBalancers,
              containerImages,
              desiredCount: _,
              capacityProviderStrategy,
              ...revision
            } = revisionDocument(row);
            return {
              serviceRevisionArn: revisionArn(row),
              serviceArn: row.serviceArn,
              clusterArn: clusterOf(row),
              taskDefinition: row.taskDefinitionArn,
              platformFamily: 'Linux',
              ...revision,
              ...(capacityProviderStrategy && { capacityProviderStrategy: [...capacityProviderStrategy] }),
              loadBalancers: [...loadBalancers],
              containerImages: [...containerImages],
              guardDutyEnabled: false,
              createdAt: new Date(Number(row.createdAt)),
            };
          }),
          failures: arns
            .filter((arn) => !fitting.some((row) => revisionArn(row) === arn))
            .map((arn) => ({ arn, reason: 'MISSING' })),
        };
      },
    ),
  };
}
