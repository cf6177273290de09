import type {
  DeleteAccountSettingRequest,
  DeleteAccountSettingResponse,
  ListAccountSettingsRequest,
  ListAccountSettingsResponse,
  PutAccountSettingDefaultRequest,
  PutAccountSettingDefaultResponse,
  PutAccountSettingRequest,
  PutAccountSettingResponse,
  Setting,
  SettingName,
} from '@aws-sdk/client-ecs';
import type { AnyOperation } from '../../../wire/service.ts';
import { fault } from '../faults.ts';
import { pageOf } from '../paging.ts';
import type { EcsParts } from '../parts.ts';
import { anywhere, operation } from './table.ts';

/** Settings and their values where nobody chose (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html). */
const defaults: Readonly<Record<string, string>> = {
  awsvpcTrunking: 'disabled',
  containerInsights: 'disabled',
  containerInstanceLongArnFormat: 'enabled',
  dualStackIPv6: 'disabled',
  fargateFIPSMode: 'disabled',
  fargateTaskRetirementWaitPeriod: '7',
  guardDutyActivate: 'off',
  serviceLongArnFormat: 'enabled',
  tagResourceAuthorization: 'off',
  taskLongArnFormat: 'enabled',
  defaultLogDriverMode: 'non-blocking',
};

/** Account settings. */
export function settingOperations({ store }: EcsParts): Record<string, AnyOperation> {
  async function put(principalArn: string, name: string | undefined, value: string | undefined): Promise<Setting> {
    if (!name || !(name in defaults)) throw fault('InvalidParameterException', `Invalid setting name: ${name}`);
    if (!value) throw fault('InvalidParameterException', 'Invalid value: it must not be empty.');
    await store.transaction((tx) =>
      tx.db
        .insertInto('ecs_settings')
        .values({ principalArn, name, value })
        .onConflict((conflict) => conflict.columns(['principalArn', 'name']).doUpdateSet({ value }))
        .execute(),
    );
    return { name: name as SettingName, value, principalArn, type: 'user' };
  }
  const root = (accountId: string) => `arn:aws:iam::${accountId}:root`;

  return {
    PutAccountSetting: operation<PutAccountSettingRequest, PutAccountSettingResponse>(
      anywhere,
      async (input, context) => ({
        setting: await put(input.principalArn ?? context.caller.arn, input.name, input.value),
      }),
    ),
    PutAccountSettingDefault: operation<PutAccountSettingDefaultRequest, PutAccountSettingDefaultResponse>(
      anywhere,
      async (input, context) => ({
        setting: await put(root(context.accountId), input.name, input.value),
      }),
    ),
    DeleteAccountSetting: operation<DeleteAccountSettingRequest, DeleteAccountSettingResponse>(
      anywhere,
      async (input, context) => {
        const principalArn = input.principalArn ?? context.caller.arn;
        await store.transaction((tx) =>
          tx.db
            .deleteFrom('ecs_settings')
            .where('principalArn', '=', principalArn)
            .where('name', '=', input.name ?? '')
            .execute(),
        );
        return { setting: { name: input.name, value: defaults[input.name ?? ''], principalArn, type: 'user' } };
      },
    ),
    ListAccountSettings: operation<ListAccountSettingsRequest, ListAccountSettingsResponse>(
      anywhere,
      async (input, context) => {
        const principalArn = input.principalArn ?? context.caller.arn;
        const rows = await store.db
          .selectFrom('ecs_settings')
          .selectAll()
          .where('principalArn', 'in', [principalArn, root(context.accountId)])
          .execute();
        const own = rows.filter((row) => row.principalArn === principalArn);
        const chosen = (name: string) => own.find((row) => row.name === name) ?? rows.find((row) => row.name === name);
        const names = input.effectiveSettings ? Object.keys(defaults) : own.map((row) => row.name);
        const settings = names
          .map(
            (name): Setting => ({
              name: name as SettingName,
              value: chosen(name)?.value ?? defaults[name],
              principalArn,
              type: 'user',
            }),
          )
          .filter((one) => (!input.name || one.name === input.name) && (!input.value || one.value === input.value));
        const page = pageOf(settings, (one) => one.name ?? '', input);
        return { settings: page.items, nextToken: page.nextToken };
      },
    ),
  };
}
