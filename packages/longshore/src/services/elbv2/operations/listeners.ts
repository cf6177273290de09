import type {
  CreateListenerInput,
  CreateListenerOutput,
  DeleteListenerInput,
  DeleteListenerOutput,
  DescribeListenerAttributesInput,
  DescribeListenerAttributesOutput,
  DescribeListenerCertificatesInput,
  DescribeListenerCertificatesOutput,
  DescribeListenersInput,
  DescribeListenersOutput,
  Listener,
  ModifyListenerAttributesInput,
  ModifyListenerAttributesOutput,
  ModifyListenerInput,
  ModifyListenerOutput,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import type { Kysely } from 'kysely';
import { noteTargetGroups } from '../actions-in-use.ts';
import { listenerArn, ruleArn } from '../arns.ts';
import { allAttributes, attributeList, changeAttributes, listenerAttributes } from '../attributes/attributes.ts';
import { fault, invalid, listenerNotFound, notYet, required } from '../errors.ts';
import { type Elbv2Parts, type Operations, operation } from '../operation.ts';
import { page } from '../pages.ts';
import { removeListener } from '../removal.ts';
import { parseActions } from '../rules/actions.ts';
import type { Elbv2Tables, ListenerRow } from '../tables.ts';
import { checkedTags, putTags } from '../tags.ts';
import { takeLoadBalancer } from './load-balancers.ts';

const mostListeners = 50;

/** Listeners: the ports that load balancers answer on. */
export function listenerOperations(parts: Elbv2Parts): Operations {
  const { store } = parts;
  const arnOf = (input: { ListenerArn?: string | undefined }) => [input.ListenerArn];

  const create = async (input: CreateListenerInput): Promise<CreateListenerOutput> => {
    const protocol = checkProtocol(required(input.Protocol, 'protocol'), input);
    const port = required(input.Port, 'port');
    const actions = parseActions(input.DefaultActions ?? []);
    const tags = checkedTags(input.Tags);
    return store.transaction(async (tx) => {
      const { arn: loadBalancerArn, vpcId } = await takeLoadBalancer(tx.db, input.LoadBalancerArn);
      const others = await tx.db
        .selectFrom('elbv2_listeners')
        .selectAll()
        .where('loadBalancerArn', '=', loadBalancerArn)
        .execute();
      const existing = others.find((other) => other.port === port);
      if (existing) {
        const [view] = await listenerViews(tx.db, [existing]);
        if (view && JSON.stringify(view.DefaultActions) === JSON.stringify(actions)) return { Listeners: [view] };
        throw fault(
          'DuplicateListener',
          `A listener already exists on this port for this load balancer '${loadBalancerArn}'`,
        );
      }
      if (others.length >= mostListeners) {
        throw fault('TooManyListeners', `A load balancer can have at most ${mostListeners} listeners`);
      }
      const arn = listenerArn(loadBalancerArn, parts.random.hex(16));
      const row: ListenerRow = { arn, loadBalancerArn, port, protocol };
      await tx.db.insertInto('elbv2_listeners').values(row).execute();
      const defaultRule = ruleArn(arn, parts.random.hex(16));
      await tx.db
        .insertInto('elbv2_rules')
        .values({
          arn: defaultRule,
          listenerArn: arn,
          loadBalancerArn,
          priority: null,
          conditions: '[]',
          actions: JSON.stringify(actions),
        })
        .execute();
      await noteTargetGroups(tx, { ruleArn: defaultRule, listenerArn: arn, loadBalancerArn, vpcId }, actions);
      await putTags(tx, arn, tags);
      tx.changed('elbv2.listener', arn);
      return { Listeners: await listenerViews(tx.db, [row]) };
    });
  };

  const describe = async (input: DescribeListenersInput): Promise<DescribeListenersOutput> => {
    const { ListenerArns: arns = [], LoadBalancerArn: loadBalancer } = input;
    if (loadBalancer === undefined && arns.length === 0)
      throw invalid('A load balancer ARN or listener ARNs must be specified');
    if (loadBalancer !== undefined) await takeLoadBalancer(store.db, loadBalancer);
    let query = store.db.selectFrom('elbv2_listeners').selectAll().orderBy('arn');
    if (loadBalancer !== undefined) query = query.where('loadBalancerArn', '=', loadBalancer);
    if (arns.length > 0) query = query.where('arn', 'in', arns);
    const rows = await query.execute();
    if (arns.some((arn) => !rows.some((row) => row.arn === arn))) throw listenerNotFound();
    const { items, next } = page(rows, (row) => row.arn, input);
    return { Listeners: await listenerViews(store.db, items), ...next };
  };

  const modify = async (input: ModifyListenerInput): Promise<ModifyListenerOutput> => {
    const actions = input.DefaultActions?.length ? parseActions(input.DefaultActions) : undefined;
    return store.transaction(async (tx) => {
      const row = await takeListener(tx.db, input.ListenerArn);
      const { arn, loadBalancerArn } = row;
      const port = input.Port ?? row.port;
      const protocol = checkProtocol(input.Protocol ?? row.protocol, input);
      const taken = await tx.db
        .selectFrom('elbv2_listeners')
        .select('arn')
        .where('loadBalancerArn', '=', loadBalancerArn)
        .where('port', '=', port)
        .where('arn', '!=', arn)
        .executeTakeFirst();
      if (taken) {
        throw fault(
          'DuplicateListener',
          `A listener already exists on this port for this load balancer '${loadBalancerArn}'`,
        );
      }
      await tx.db.updateTable('elbv2_listeners').set({ port, protocol }).where('arn', '=', arn).execute();
      if (actions) {
        const { vpcId } = await takeLoadBalancer(tx.db, loadBalancerArn);
        const rule = await tx.db
          .updateTable('elbv2_rules')
          .set({ actions: JSON.stringify(actions) })
          .where('listenerArn', '=', arn)
          .where('priority', 'is', null)
          .returning('arn')
          .executeTakeFirstOrThrow();
        await noteTargetGroups(tx, { ruleArn: rule.arn, listenerArn: arn, loadBalancerArn, vpcId }, actions);
      }
      tx.changed('elbv2.listener', arn);
      return { Listeners: await listenerViews(tx.db, [{ ...row, port, protocol }]) };
    });
  };

  const remove = async (input: DeleteListenerInput): Promise<DeleteListenerOutput> => {
    await store.transaction(async (tx) => {
      const { arn } = await takeListener(tx.db, input.ListenerArn);
      await removeListener(tx, arn);
    });
    return {};
  };

  const describeAttributes = async (
    input: DescribeListenerAttributesInput,
  ): Promise<DescribeListenerAttributesOutput> => {
    await takeListener(store.db, input.ListenerArn);
    return { Attributes: attributeList(allAttributes(listenerAttributes, {})) };
  };

  /** Only the defaults can be set, so that there is nothing to keep. */
  const modifyAttributes = async (input: ModifyListenerAttributesInput): Promise<ModifyListenerAttributesOutput> => {
    await takeListener(store.db, input.ListenerArn);
    const set = changeAttributes(listenerAttributes, 'Listener', {}, input.Attributes ?? []);
    return { Attributes: attributeList(allAttributes(listenerAttributes, set)) };
  };

  const describeCertificates = async (
    input: DescribeListenerCertificatesInput,
  ): Promise<DescribeListenerCertificatesOutput> => {
    await takeListener(store.db, input.ListenerArn);
    return { Certificates: [] };
  };

  return {
    CreateListener: operation(create, (input) => [input.LoadBalancerArn]),
    DescribeListeners: operation(describe),
    ModifyListener: operation(modify, arnOf),
    DeleteListener: operation(remove, arnOf),
    DescribeListenerAttributes: operation(describeAttributes),
    ModifyListenerAttributes: operation(modifyAttributes, arnOf),
    DescribeListenerCertificates: operation(describeCertificates),
  };
}

/** The row, or a thrown ListenerNotFound. */
export async function takeListener(db: Kysely<Elbv2Tables>, arn: string | undefined): Promise<ListenerRow> {
  const row = await db
    .selectFrom('elbv2_listeners')
    .selectAll()
    .where('arn', '=', arn ?? '')
    .executeTakeFirst();
  if (!row) throw listenerNotFound();
  return row;
}

async function listenerViews(db: Kysely<Elbv2Tables>, rows: readonly ListenerRow[]): Promise<Listener[]> {
  if (rows.length === 0) return [];
  const defaults = await db
    .selectFrom('elbv2_rules')
    .select(['listenerArn', 'actions'])
    .where('priority', 'is', null)
    .where(
      'listenerArn',
      'in',
      rows.map(({ arn }) => arn),
    )
    .execute();
  const actionsOf = new Map(defaults.map((rule) => [rule.listenerArn, rule.actions]));
  return rows.map(({ arn, loadBalancerArn, port, protocol }) => ({
    ListenerArn: arn,
    LoadBalancerArn: loadBalancerArn,
    Port: port,
    Protocol: protocol,
    DefaultActions: JSON.parse(actionsOf.get(arn) ?? '[]'),
  }));
}

function checkProtocol(
  protocol: string,
  input: Pick<CreateListenerInput, 'Certificates' | 'SslPolicy' | 'AlpnPolicy' | 'MutualAuthentication'>,
): 'HTTP' {
  if (protocol === 'HTTPS') throw notYet('HTTPS listeners are');
  if (protocol !== 'HTTP') {
    throw fault(
      'UnsupportedProtocol',
      `Listener protocol '${protocol}' is not supported with a load balancer of type 'application'`,
    );
  }
  if (input.Certificates?.length) throw invalid('A certificate cannot be specified for HTTP listeners');
  if (input.SslPolicy) throw invalid('An SSL policy cannot be specified for HTTP listeners');
  if (input.AlpnPolicy?.length) throw invalid('An ALPN policy cannot be specified for HTTP listeners');
  if ((input.MutualAuthentication?.Mode ?? 'off') !== 'off') {
    throw invalid('Mutual authentication cannot be specified for HTTP listeners');
  }
  return protocol;
}
