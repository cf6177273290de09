import { type Protocol, readModel, type ServiceMetadata, type ServiceModel } from '../models/model.ts';
import { cborCodec } from './codec/cbor-codec.ts';
import type { ProtocolCodec, WireRequest } from './codec/http.ts';
import { jsonCodec } from './codec/json-codec.ts';
import { ec2Codec, queryCodec } from './codec/query-codec.ts';
import { matchRoute, type RestRoute, restRoutes } from './codec/rest.ts';
import { restJsonCodec, restXmlCodec } from './codec/rest-codecs.ts';
import type { ServiceDefinition } from './service.ts';
import { type Violation, validator } from './validate.ts';

/** How a request speaks: the protocol, and the version of awsJson. */
export interface Speech {
  readonly protocol: Protocol;
  readonly jsonVersion?: string;
}

/** A served service with its model and codecs, each made when it is first needed. */
export class Api {
  readonly definition: ServiceDefinition;
  readonly metadata: ServiceMetadata;
  private loaded: ServiceModel | undefined;
  private readonly codecs = new Map<string, ProtocolCodec>();
  private check: ((operation: string, input: object) => Violation[]) | undefined;
  private routes: RestRoute[] | undefined;

  constructor(definition: ServiceDefinition, metadata: ServiceMetadata) {
    this.definition = definition;
    this.metadata = metadata;
  }

  /** The name that requests are signed for. */
  get signingName(): string {
    return this.metadata.signingName ?? this.metadata.endpointPrefix;
  }

  get model(): ServiceModel {
    this.loaded ??= readModel(this.definition.name);
    return this.loaded;
  }

  codec({ protocol, jsonVersion = this.metadata.jsonVersion ?? '1.0' }: Speech): ProtocolCodec {
    const name = protocol === 'json' ? `json${jsonVersion}` : protocol;
    let codec = this.codecs.get(name);
    if (!codec) {
      codec = makeCodec(this.model, protocol, jsonVersion);
      this.codecs.set(name, codec);
    }
    return codec;
  }

  validate(operation: string, input: object): Violation[] {
    this.check ??= validator(this.model);
    return this.check(operation, input);
  }

  /** The operation that a REST request's method and path name. */
  restOperation(request: WireRequest): string | undefined {
    this.routes ??= restRoutes(this.model);
    return matchRoute(this.routes, request)?.route.operation;
  }
}

function makeCodec(model: ServiceModel, protocol: Protocol, jsonVersion: string): ProtocolCodec {
  switch (protocol) {
    case 'json':
      return jsonCodec(model, jsonVersion);
    case 'smithy-rpc-v2-cbor':
      return cborCodec(model);
    case 'query':
      return queryCodec(model);
    case 'ec2':
      return ec2Codec(model);
    case 'rest-json':
      return restJsonCodec(model);
    case 'rest-xml':
      return restXmlCodec(model);
  }
}

/** A model with nothing in it: what errors are written with where no service is known. */
export function emptyModel(protocol: Protocol): ServiceModel {
  return {
    metadata: {
      apiVersion: '',
      endpointPrefix: '',
      protocol,
      protocols: [protocol],
      // Of the services that speak restXml, S3 is the one that is asked for.
      serviceId: protocol === 'rest-xml' ? 'S3' : '',
      serviceFullName: '',
      xmlNamespace: 'http://webservices.amazon.com/AWSFault/2005-15-09',
    },
    operations: {},
    shapes: {},
  };
}

export { makeCodec };
