import { readServices } from '../models/model.ts';
import { Api, type Speech } from './api.ts';
import type { WireRequest } from './codec/http.ts';
import { queryParameters } from './codec/query-codec.ts';
import { Fault } from './fault.ts';
import type { ServiceDefinition } from './service.ts';

/** Whom a request is for. Where something is unknown, `fault` says so, in the speech that the request was made in. */
export interface Target {
  readonly speech: Speech;
  readonly api?: Api;
  readonly operation?: string;
  readonly fault?: Fault;
}

/** Finds the service and the operation of requests among the served services. */
export function dispatcher(
  services: readonly ServiceDefinition[],
): (request: WireRequest, signedFor: string | undefined) => Target {
  const known = readServices();
  const apis = services.flatMap((definition) => {
    const metadata = known[definition.name];
    return metadata ? [new Api(definition, metadata)] : [];
  });
  const byTarget = new Map(
    apis.flatMap((api) => (api.metadata.targetPrefix ? [[api.metadata.targetPrefix, api] as const] : [])),
  );
  const speaks = (api: Api, protocol: Speech['protocol']) => api.metadata.protocols.includes(protocol);

  /** What to say where nothing is found: that the service is not served, or else that its operation is unknown. */
  const missing = (signedFor: string | undefined, message: string, status = 400): Fault =>
    signedFor === undefined || apis.some((api) => api.signingName === signedFor)
      ? new Fault('UnknownOperationException', message, {}, status)
      : new Fault('NotImplementedException', `Longshore does not serve ${signedFor.slice(0, 64)}`);

  const byHeader = (header: string, request: WireRequest, signedFor: string | undefined): Target => {
    const version = /^application\/x-amz-json-(1\.[01])\b/.exec(request.headers['content-type'] ?? '')?.[1];
    const dot = header.lastIndexOf('.');
    const api = byTarget.get(header.slice(0, dot));
    const speech: Speech = { protocol: 'json', ...(version && { jsonVersion: version }) };
    if (!api || !speaks(api, 'json')) {
      return { speech, fault: missing(signedFor, `No service here answers the target ${header.slice(0, 200)}`) };
    }
    return found(api, speech, header.slice(dot + 1));
  };

  const byCborPath = (request: WireRequest, signedFor: string | undefined): Target => {
    const speech: Speech = { protocol: 'smithy-rpc-v2-cbor' };
    const [, service, operation] = /\/service\/([^/]+)\/operation\/([^/]+)$/.exec(request.path) ?? [];
    const api = service === undefined ? undefined : byTarget.get(service.slice(service.lastIndexOf('.') + 1));
    if (!api || !operation || !speaks(api, speech.protocol)) {
      return { speech, fault: missing(signedFor, `No service here answers ${request.path.slice(0, 200)}`, 404) };
    }
    return found(api, speech, operation);
  };

  const byAction = (request: WireRequest, signedFor: string | undefined): Target | undefined => {
    const isForm = request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') ?? false;
    if (!isForm && !request.query.has('Action')) return undefined;
    const parameters = queryParameters(request.query, isForm ? request.body : Buffer.alloc(0));
    const action = parameters.get('Action');
    const version = parameters.get('Version');
    const candidates = apis.filter((api) => {
      const query = speaks(api, 'query') || speaks(api, 'ec2');
      return query && (signedFor === undefined || api.signingName === signedFor);
    });
    const api =
      candidates.find((candidate) => candidate.metadata.apiVersion === version) ??
      (signedFor !== undefined && version === null ? candidates[0] : undefined) ??
      // EC2 has had many versions, each a part of the newest.
      candidates.find((candidate) => speaks(candidate, 'ec2') && /^20\d\d-\d\d-\d\d$/.test(version ?? ''));
    const speech: Speech = { protocol: api && speaks(api, 'ec2') ? 'ec2' : 'query' };
    if (!action) {
      const fault = new Fault('MissingAction', 'The request must contain the parameter Action');
      return { speech, ...(api && { api }), fault };
    }
    if (!api) {
      const message = `Could not find operation ${action.slice(0, 128)} for version ${version?.slice(0, 32)}`;
      return { speech, fault: missing(signedFor, message) };
    }
    return found(api, speech, action);
  };

  const byPath = (request: WireRequest, signedFor: string | undefined): Target => {
    const candidates = apis.filter((api) => {
      const rest = speaks(api, 'rest-json') || speaks(api, 'rest-xml');
      return rest && (signedFor === undefined || api.signingName === signedFor);
    });
    for (const api of candidates) {
      const operation = api.restOperation(request);
      if (operation) return found(api, { protocol: api.metadata.protocol }, operation);
    }
    const [api] = signedFor === undefined ? [] : candidates;
    // Clients of S3, served or not, read nothing but XML.
    const speech: Speech = {
      protocol: api?.metadata.protocol ?? (signedFor?.startsWith('s3') ? 'rest-xml' : 'rest-json'),
    };
    const fault = missing(signedFor, `No operation answers ${request.method} ${request.path.slice(0, 200)}`, 404);
    return { speech, ...(api && { api }), fault };
  };

  return (request, signedFor) => {
    const header = request.headers['x-amz-target'];
    if (typeof header === 'string') return byHeader(header, request, signedFor);
    if (request.headers['smithy-protocol'] === 'rpc-v2-cbor') return byCborPath(request, signedFor);
    return byAction(request, signedFor) ?? byPath(request, signedFor);
  };
}

function found(api: Api, speech: Speech, operation: string): Target {
  const model = Object.hasOwn(api.model.operations, operation) ? api.model.operations[operation] : undefined;
  if (!model) {
    const message =
      speech.protocol === 'query'
        ? `Could not find operation ${operation.slice(0, 128)} for version ${api.metadata.apiVersion}`
        : speech.protocol === 'ec2'
          ? `The action ${operation.slice(0, 128)} is not valid for this web service.`
          : `${api.metadata.serviceFullName} has no operation ${operation.slice(0, 128)}`;
    return { api, speech, fault: new Fault('UnknownOperationException', message) };
  }
  if (!model.http || !Object.hasOwn(api.definition.operations, operation)) {
    const message = `Longshore does not implement ${api.definition.iamPrefix}:${operation} yet`;
    return { api, speech, fault: new Fault('NotImplementedException', message) };
  }
  return { api, speech, operation };
}
