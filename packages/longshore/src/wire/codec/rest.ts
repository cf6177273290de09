import type { Reference, ServiceModel, Shape } from '../../models/model.ts';
import type { WireRequest } from './http.ts';
import { DecodeProblem } from './problem.ts';
import { parseScalar, printScalar } from './xml-shapes.ts';

/** An operation's path, ready to be compared. */
export interface RestRoute {
  readonly operation: string;
  readonly method: string;
  /** Literal text, or a label's name; `greedy` labels take slashes too. */
  readonly segments: readonly { readonly literal?: string; readonly label?: string; readonly greedy?: boolean }[];
  readonly query: readonly (readonly [string, string | undefined])[];
  /** Query parameters and headers without which the input is not valid: they tell operations on the same path apart. */
  readonly requiredQuery: readonly string[];
  readonly requiredHeaders: readonly string[];
}

/** The routes of a REST service's model. */
export function restRoutes(model: ServiceModel): RestRoute[] {
  const routes: RestRoute[] = [];
  for (const [operation, { http, input }] of Object.entries(model.operations)) {
    if (!http) continue;
    const [method, uri] = http;
    const [path = '', query = ''] = uri.split('?');
    const shape = input ? model.shapes[input]! : undefined;
    const required = (location: string) =>
      (shape?.required ?? [])
        .map((name) => shape!.members![name]!)
        .filter((member) => member.location === location)
        .map((member) => member.locationName!);
    routes.push({
      operation,
      method,
      segments: path
        .split('/')
        .filter((segment) => segment !== '')
        .map((segment) => {
          const label = /^\{([^}+]+)(\+)?\}$/.exec(segment);
          return label ? { label: label[1]!, greedy: label[2] === '+' } : { literal: segment };
        }),
      query: query === '' ? [] : query.split('&').map((part) => part.split('=', 2) as [string, string | undefined]),
      requiredQuery: required('querystring'),
      requiredHeaders: required('header').map((name) => name.toLowerCase()),
    });
  }
  return routes;
}

/** The operation that a request is for and the text of its labels, or undefined. */
export function matchRoute(
  routes: readonly RestRoute[],
  request: WireRequest,
): { route: RestRoute; labels: Map<string, string> } | undefined {
  const segments = request.path.split('/').slice(1);
  if (segments.at(-1) === '') segments.pop();
  const named = request.query.get('x-id');
  let best: { route: RestRoute; labels: Map<string, string>; score: number } | undefined;
  for (const route of routes) {
    if (route.method !== request.method) continue;
    const labels = matchPath(route, segments);
    if (!labels) continue;
    if (
      !route.query.every(([key, value]) =>
        value === undefined ? request.query.has(key) : request.query.get(key) === value,
      )
    )
      continue;
    if (route.operation === named) return { route, labels };
    if (!route.requiredQuery.every((key) => request.query.has(key))) continue;
    if (!route.requiredHeaders.every((key) => request.headers[key] !== undefined)) continue;
    const score =
      route.segments.filter((segment) => segment.literal !== undefined).length * 100 +
      route.query.length * 10 +
      route.requiredQuery.length +
      route.requiredHeaders.length;
    if (!best || score > best.score) best = { route, labels, score };
  }
  return best;
}

function matchPath(route: RestRoute, segments: readonly string[]): Map<string, string> | undefined {
  const labels = new Map<string, string>();
  for (const [index, part] of route.segments.entries()) {
    const segment = segments[index];
    if (segment === undefined) return undefined;
    if (part.greedy) {
      const after = route.segments.length - index - 1;
      labels.set(part.label!, decodeLabel(segments.slice(index, segments.length - after).join('/')));
      return after === 0 ? labels : undefined;
    }
    if (part.literal !== undefined && part.literal !== segment) return undefined;
    if (part.label !== undefined) labels.set(part.label, decodeLabel(segment));
  }
  return segments.length === route.segments.length ? labels : undefined;
}

function decodeLabel(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new DecodeProblem('The path is not valid percent-encoding');
  }
}

/** Reads the members of an input that travel in the path, the query and the headers. */
export function readBindings(
  model: ServiceModel,
  shape: Shape,
  request: WireRequest,
  labels: Map<string, string>,
): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, reference] of Object.entries(shape.members ?? {})) {
    const wireName = reference.locationName ?? name;
    const target = model.shapes[reference.shape]!;
    switch (reference.location) {
      case 'uri': {
        const text = labels.get(wireName);
        if (text !== undefined) result[name] = parseScalar(text, target);
        break;
      }
      case 'querystring': {
        const value = readQuerystring(model, target, wireName, request.query);
        if (value !== undefined) result[name] = value;
        break;
      }
      case 'header': {
        const text = request.headers[wireName.toLowerCase()];
        if (typeof text === 'string') result[name] = readHeader(model, text, reference);
        break;
      }
      case 'headers': {
        const prefix = wireName.toLowerCase();
        const found = Object.entries(request.headers).filter(
          ([key, value]) => key.startsWith(prefix) && typeof value === 'string',
        );
        if (found.length > 0)
          result[name] = Object.fromEntries(found.map(([key, value]) => [key.slice(prefix.length), value]));
        break;
      }
    }
  }
  return result;
}

function readQuerystring(model: ServiceModel, shape: Shape, wireName: string, query: URLSearchParams): unknown {
  if (shape.type === 'map') {
    const found = [...query].filter(([key]) => key !== 'x-id' && !key.startsWith('X-Amz-'));
    return found.length === 0 ? undefined : Object.fromEntries(found);
  }
  const values = query.getAll(wireName);
  if (values.length === 0) return undefined;
  if (shape.type === 'list') return values.map((value) => parseScalar(value, model.shapes[shape.member!.shape]!));
  return parseScalar(values[0]!, shape);
}

function readHeader(model: ServiceModel, text: string, reference: Reference): unknown {
  const shape = model.shapes[reference.shape]!;
  if (reference.jsonvalue) return JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
  if (shape.type === 'list') {
    const item = model.shapes[shape.member!.shape]!;
    return splitHeader(text).map((part) => parseScalar(part, item));
  }
  return parseScalar(text, shape);
}

/** The values of a comma-separated header, some of them quoted. */
function splitHeader(text: string): string[] {
  const parts: string[] = [];
  for (const [, quoted, plain] of text.matchAll(/\s*(?:"((?:[^"\\]|\\.)*)"|([^,]*))\s*(?:,|$)/g)) {
    if (quoted !== undefined) parts.push(quoted.replace(/\\(.)/g, '$1'));
    else if (plain !== undefined && plain.trim() !== '') parts.push(plain.trim());
  }
  return parts;
}

/** Headers (and a status) that an output's members travel in. */
export function writeBindings(
  model: ServiceModel,
  shape: Shape,
  output: Record<string, unknown>,
): { headers: Record<string, string>; status?: number } {
  const headers: Record<string, string> = {};
  let status: number | undefined;
  for (const [name, reference] of Object.entries(shape.members ?? {})) {
    const value = output[name];
    if (value === undefined || value === null || !reference.location) continue;
    const wireName = reference.locationName ?? name;
    if (reference.location === 'statusCode') status = value as number;
    else if (reference.location === 'headers') {
      for (const [key, text] of Object.entries(value as Record<string, string>))
        headers[`${wireName}${key}`.toLowerCase()] = text;
    } else if (reference.location === 'header') headers[wireName.toLowerCase()] = writeHeader(model, value, reference);
  }
  return { headers, ...(status !== undefined && { status }) };
}

function writeHeader(model: ServiceModel, value: unknown, reference: Reference): string {
  const shape = model.shapes[reference.shape]!;
  if (reference.jsonvalue) return Buffer.from(JSON.stringify(value)).toString('base64');
  if (shape.type === 'list') {
    const item = model.shapes[shape.member!.shape]!;
    return (value as unknown[]).map((part) => printScalar(part, shape.member!, item, 'rfc822')).join(', ');
  }
  return printScalar(value, reference, shape, 'rfc822');
}
