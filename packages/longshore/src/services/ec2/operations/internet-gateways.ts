import type {
  AttachInternetGatewayRequest,
  CreateInternetGatewayRequest,
  CreateInternetGatewayResult,
  DeleteInternetGatewayRequest,
  DescribeInternetGatewaysRequest,
  DescribeInternetGatewaysResult,
  DetachInternetGatewayRequest,
  InternetGateway,
  Tag,
} from '@aws-sdk/client-ec2';
import type { Kysely } from 'kysely';
import { Fault } from '../../../wire/fault.ts';
import { describe, given, requireAll } from '../describe.ts';
import { dependency, invalidValue, notFound } from '../errors.ts';
import type { FilterFields } from '../filters/filters.ts';
import { type Ec2Parts, type Operations, operation } from '../operation.ts';
import type { Ec2Tables, InternetGatewayRow } from '../tables.ts';
import { dropTags, putTags, specifiedTags, tagReader } from '../tags.ts';
import { newId, takeVpc } from '../vpcs.ts';

/** Internet gateways and their attachment to VPCs. */
export function gatewayOperations(parts: Ec2Parts): Operations {
  const { store, settings } = parts;
  const one = (input: { InternetGatewayId?: string | undefined }) => [`internet-gateway/${input.InternetGatewayId}`];

  const create = async (input: CreateInternetGatewayRequest): Promise<CreateInternetGatewayResult> => {
    const tags = specifiedTags(input.TagSpecifications, 'internet-gateway');
    return store.transaction(async (tx) => {
      const row: InternetGatewayRow = { internetGatewayId: newId(parts, 'igw'), vpcId: null };
      await tx.db.insertInto('ec2_internet_gateways').values(row).execute();
      await putTags(tx, row.internetGatewayId, tags);
      return { InternetGateway: gatewayView(row, [...tags], settings.accountId) };
    });
  };

  const describeGateways = async (input: DescribeInternetGatewaysRequest): Promise<DescribeInternetGatewaysResult> => {
    const ids = given(input.InternetGatewayIds);
    let query = store.db.selectFrom('ec2_internet_gateways').selectAll();
    if (ids) query = query.where('internetGatewayId', 'in', ids);
    const [rows, tagsOf] = await Promise.all([query.execute(), tagReader(store.db, 'internet-gateway', ids)]);
    requireAll(
      ids,
      rows.map((row) => row.internetGatewayId),
      (id) => notFound('internet-gateway', id),
    );
    const { items, next } = describe(
      rows.map((row) => gatewayView(row, tagsOf(row.internetGatewayId), settings.accountId)),
      input,
      { id: (view) => view.InternetGatewayId, tags: (view) => view.Tags, fields: gatewayFields },
    );
    return { InternetGateways: items, ...next };
  };

  const attach = async (input: AttachInternetGatewayRequest): Promise<object> => {
    await store.transaction(async (tx) => {
      const gateway = await takeGateway(tx.db, input.InternetGatewayId);
      const { vpcId } = await takeVpc(tx.db, input.VpcId);
      if (gateway.vpcId !== null) {
        throw new Fault(
          'Resource.AlreadyAssociated',
          `resource ${gateway.internetGatewayId} is already attached to network ${gateway.vpcId}`,
        );
      }
      const other = await tx.db
        .selectFrom('ec2_internet_gateways')
        .select('internetGatewayId')
        .where('vpcId', '=', vpcId)
        .executeTakeFirst();
      if (other) throw invalidValue(`Network ${vpcId} already has an internet gateway attached`);
      await setVpc(tx.db, gateway.internetGatewayId, vpcId);
      tx.changed('ec2.route-table', vpcId);
    });
    return {};
  };

  const detach = async (input: DetachInternetGatewayRequest): Promise<object> => {
    await store.transaction(async (tx) => {
      const { internetGatewayId, vpcId } = await takeGateway(tx.db, input.InternetGatewayId);
      await takeVpc(tx.db, input.VpcId);
      if (vpcId !== input.VpcId || vpcId === null) {
        throw new Fault(
          'Gateway.NotAttached',
          `resource ${internetGatewayId} is not attached to network ${input.VpcId}`,
        );
      }
      const mapped = await tx.db
        .selectFrom('ec2_interfaces')
        .select('interfaceId')
        .where('vpcId', '=', vpcId)
        .where('publicAddress', 'is not', null)
        .executeTakeFirst();
      if (mapped) {
        throw new Fault(
          'DependencyViolation',
          `Network ${vpcId} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.`,
        );
      }
      await setVpc(tx.db, internetGatewayId, null);
      tx.changed('ec2.route-table', vpcId);
    });
    return {};
  };

  const remove = async ({ InternetGatewayId }: DeleteInternetGatewayRequest): Promise<object> => {
    await store.transaction(async (tx) => {
      const { internetGatewayId, vpcId } = await takeGateway(tx.db, InternetGatewayId);
      if (vpcId !== null) throw dependency('internetGateway', internetGatewayId);
      await tx.db.deleteFrom('ec2_internet_gateways').where('internetGatewayId', '=', internetGatewayId).execute();
      await dropTags(tx, internetGatewayId);
    });
    return {};
  };

  return {
    CreateInternetGateway: operation(create, () => ['internet-gateway/*']),
    DescribeInternetGateways: operation(describeGateways),
    AttachInternetGateway: operation(attach, (input) => [...one(input), `vpc/${input.VpcId}`]),
    DetachInternetGateway: operation(detach, (input) => [...one(input), `vpc/${input.VpcId}`]),
    DeleteInternetGateway: operation(remove, one),
  };
}

async function setVpc(db: Kysely<Ec2Tables>, internetGatewayId: string, vpcId: string | null): Promise<void> {
  await db
    .updateTable('ec2_internet_gateways')
    .set({ vpcId })
    .where('internetGatewayId', '=', internetGatewayId)
    .execute();
}

async function takeGateway(db: Kysely<Ec2Tables>, id: string | undefined): Promise<InternetGatewayRow> {
  const row = await db
    .selectFrom('ec2_internet_gateways')
    .selectAll()
    .where('internetGatewayId', '=', id ?? '')
    .executeTakeFirst();
  if (!row) throw notFound('internet-gateway', id);
  return row;
}

function gatewayView(row: InternetGatewayRow, tags: Tag[], accountId: string): InternetGateway {
  return {
    InternetGatewayId: row.internetGatewayId,
    OwnerId: accountId,
    // AWS says "available" here where the attachment's states are otherwise "attached" and the like.
    Attachments: row.vpcId === null ? [] : [{ VpcId: row.vpcId, State: 'available' as 'attached' }],
    Tags: tags,
  };
}

const gatewayFields: FilterFields<InternetGateway> = {
  'attachment.state': (view) => view.Attachments?.map((one) => one.State),
  'attachment.vpc-id': (view) => view.Attachments?.map((one) => one.VpcId),
  'internet-gateway-id': (view) => view.InternetGatewayId,
  'owner-id': (view) => view.OwnerId,
};
