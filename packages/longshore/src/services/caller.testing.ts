import type { AnyOperation, RequestContext } from '../wire/service.ts';

/** Calls a service's operations as the account's root, without the wire. */
export function operationCaller(
  operations: Readonly<Record<string, AnyOperation>>,
  { accountId, region }: { readonly accountId: string; readonly region: string },
) {
  const context: RequestContext = {
    requestId: 'test',
    caller: { accountId, arn: `arn:aws:iam::${accountId}:root`, userId: accountId, type: 'root' },
    region,
    accountId,
    sourceIp: '127.0.0.1',
    endpoint: 'http://127.0.0.1:4566',
    authorize: async () => {},
  };
  return async (name: string, input: object = {}) => {
    const operation = operations[name];
    if (!operation) throw new Error(`no operation ${name}`);
    await operation.access(input, context);
    return operation.handle(input, context);
  };
}
