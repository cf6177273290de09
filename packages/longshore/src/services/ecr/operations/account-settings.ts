import type {
  GetAccountSettingRequest,
  GetAccountSettingResponse,
  PutAccountSettingRequest,
  PutAccountSettingResponse,
} from '@aws-sdk/client-ecr';
import type { Operation } from '../../../wire/service.ts';
import { invalidParameter } from '../faults.ts';
import type { Ecr } from '../parts.ts';
import { onRegistry } from './access.ts';

/** Settings with the values that they take, the one that counts unless told first (API reference, PutAccountSetting). */
const settings: Readonly<Record<string, readonly string[]>> = {
  BASIC_SCAN_TYPE_VERSION: ['AWS_NATIVE'],
  REGISTRY_POLICY_SCOPE: ['V2'],
  BLOB_MOUNTING: ['ENABLED', 'DISABLED'],
};

function valuesOf(name: string | undefined): readonly string[] {
  const values = Object.hasOwn(settings, name ?? '') ? settings[name ?? ''] : undefined;
  if (!values) throw invalidParameter('name', `must be one of ${Object.keys(settings).join(', ')}`);
  return values;
}

/** May blobs be taken over from another repository without sending them? */
export function isBlobMountingOn({ documents }: Pick<Ecr, 'documents'>): boolean {
  return documents.text('setting:BLOB_MOUNTING') !== 'DISABLED';
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAccountSetting.html */
export function getAccountSetting(ecr: Ecr): Operation<GetAccountSettingRequest, GetAccountSettingResponse> {
  return {
    access: onRegistry(ecr),
    async handle({ name = '' }) {
      const [usual] = valuesOf(name);
      return { name, value: ecr.documents.text(`setting:${name}`) ?? usual };
    },
  };
}

/** https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutAccountSetting.html */
export function putAccountSetting(ecr: Ecr): Operation<PutAccountSettingRequest, PutAccountSettingResponse> {
  return {
    access: onRegistry(ecr),
    async handle({ name = '', value = '' }) {
      const values = valuesOf(name);
      if (!values.includes(value)) throw invalidParameter('value', `must be one of ${values.join(', ')}`);
      await ecr.documents.write(`setting:${name}`, value);
      return { name, value };
    },
  };
}
