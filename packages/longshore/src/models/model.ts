import { readFileSync } from 'node:fs';

/** A protocol of AWS's as botocore's models name it. */
export type Protocol = 'json' | 'query' | 'ec2' | 'rest-json' | 'rest-xml' | 'smithy-rpc-v2-cbor';

/** How a member refers to its shape, and what of the wire it overrides. */
export interface Reference {
  readonly shape: string;
  readonly location?: 'header' | 'headers' | 'querystring' | 'uri' | 'statusCode';
  readonly locationName?: string;
  readonly queryName?: string;
  readonly flattened?: boolean;
  readonly timestampFormat?: 'iso8601' | 'rfc822' | 'unixTimestamp';
  readonly jsonvalue?: boolean;
  readonly xmlNamespace?: { readonly uri: string; readonly prefix?: string } | string;
  readonly xmlAttribute?: boolean;
  readonly idempotencyToken?: boolean;
  readonly streaming?: boolean;
  readonly eventpayload?: boolean;
  readonly eventheader?: boolean;
  readonly hostLabel?: boolean;
}

export interface Shape {
  readonly type:
    | 'structure'
    | 'list'
    | 'map'
    | 'string'
    | 'character'
    | 'boolean'
    | 'integer'
    | 'long'
    | 'float'
    | 'double'
    | 'timestamp'
    | 'blob';
  readonly members?: Readonly<Record<string, Reference>>;
  readonly member?: Reference;
  readonly key?: Reference;
  readonly value?: Reference;
  readonly required?: readonly string[];
  readonly enum?: readonly string[];
  /** Of a length, a count or a value, as the type says. */
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: string;
  readonly locationName?: string;
  readonly flattened?: boolean;
  readonly timestampFormat?: Reference['timestampFormat'];
  /** The member that is the whole HTTP body. */
  readonly payload?: string;
  readonly xmlNamespace?: Reference['xmlNamespace'];
  readonly union?: boolean;
  readonly document?: boolean;
  readonly eventstream?: boolean;
  readonly streaming?: boolean;
  readonly sensitive?: boolean;
  readonly exception?: boolean;
  readonly fault?: boolean;
  readonly error?: { readonly code?: string; readonly httpStatusCode?: number; readonly senderFault?: boolean };
}

/** An operation; without `http`, only its name is known. */
export interface OperationModel {
  /** Method, path with labels, and the status of success where it is not 200. */
  readonly http?: readonly [method: string, requestUri: string, responseCode?: number];
  readonly input?: string;
  /** Of a restXml body's outermost element. */
  readonly locationName?: string;
  readonly xmlNamespace?: Reference['xmlNamespace'];
  readonly output?: string;
  readonly resultWrapper?: string;
  readonly errors?: readonly string[];
  /** `none`: callers need no credentials. */
  readonly auth?: 'none';
  readonly hostPrefix?: string;
  readonly unsignedPayload?: boolean;
}

export interface ServiceMetadata {
  readonly apiVersion: string;
  readonly endpointPrefix: string;
  readonly jsonVersion?: string;
  readonly protocol: Protocol;
  readonly protocols: readonly Protocol[];
  readonly serviceId: string;
  readonly serviceFullName: string;
  readonly signingName?: string;
  readonly targetPrefix?: string;
  readonly xmlNamespace?: string;
  readonly awsQueryCompatible?: object;
}

export interface ServiceModel {
  readonly metadata: ServiceMetadata;
  readonly operations: Readonly<Record<string, OperationModel>>;
  readonly shapes: Readonly<Record<string, Shape>>;
}

/** Reads the model of the service with our name `name` (`ecs`, `elbv2`) from disk: a few milliseconds; keep what you get. */
export function readModel(name: string): ServiceModel {
  return JSON.parse(readFileSync(new URL(`./${name}.json`, import.meta.url), 'utf8')) as ServiceModel;
}

/** What identifies each service that we have a model of, by our names: read without reading the models. */
export function readServices(): Readonly<Record<string, ServiceMetadata>> {
  return JSON.parse(readFileSync(new URL('./services.json', import.meta.url), 'utf8')) as Record<
    string,
    ServiceMetadata
  >;
}
