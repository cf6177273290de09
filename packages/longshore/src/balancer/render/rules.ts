import type { ListenerDocument, RuleAction, RuleCondition, RuleDocument } from '../../protocol/documents.ts';
import { backendName } from './names.ts';
import { anchored, headerName, mediaType, queryPattern, range, urlText } from './quote.ts';

export interface RenderedRules {
  readonly lines: readonly string[];
  /** Files of the folder that the lines name: bodies of fixed responses. */
  readonly files: ReadonlyMap<string, string>;
  /** In plain words, rules that can't be served. They match nothing. */
  readonly problems: readonly string[];
}

const list = (values: readonly string[], each: (value: string) => string): string => values.map(each).join(' ');

/** One condition as an anonymous ACL. Host names, headers and queries match without regard to case (ELB guide, "Rule condition types"). */
export function condition(one: RuleCondition): string {
  switch (one.field) {
    case 'host-header':
      return `{ req.hdr(host),host_only -m reg -i ${list(one.values, anchored)} }`;
    case 'path-pattern':
      return `{ path -m reg ${list(one.values, anchored)} }`;
    case 'http-request-method':
      return `{ method -m reg ${list(one.values, anchored)} }`;
    case 'http-header':
      return `{ req.fhdr(${headerName(one.name)}) -m reg -i ${list(one.values, anchored)} }`;
    case 'query-string':
      return `{ query -m reg -i ${one.values.map(queryPattern).join(' ')} }`;
    case 'source-ip':
      return `{ src ${list(one.values, range)} }`;
  }
}

/** The first rule whose conditions hold sets `txn.rule`; then that rule's action is taken. */
export function renderRules(listener: ListenerDocument, folder: string): RenderedRules {
  const matches: string[] = [];
  const actions: string[] = [];
  const files = new Map<string, string>();
  const problems: string[] = [];
  listener.rules.forEach((rule, index) => {
    try {
      const match = matchLine(rule, index);
      actions.push(...actionLines(rule.action, listener, index, folder, files));
      matches.push(match);
    } catch (error) {
      problems.push(`Rule ${rule.arn} is not served: ${(error as Error).message}`);
    }
  });
  return { lines: [...matches, ...actions], files, problems };
}

const matchLine = (rule: RuleDocument, index: number): string =>
  [
    'http-request set-var(txn.rule) int(',
    index,
    ') if !{ var(txn.rule) -m found }',
    ...rule.conditions.map((one) => ` ${condition(one)}`),
  ].join('');

function actionLines(
  action: RuleAction,
  listener: ListenerDocument,
  index: number,
  folder: string,
  files: Map<string, string>,
): string[] {
  const when = `{ var(txn.rule) -m int ${index} }`;
  switch (action.type) {
    case 'forward': {
      const groups = action.targetGroups.filter(({ weight }) => weight > 0);
      const [first] = groups;
      if (!first) return [`use_backend nothing if ${when}`];
      if (groups.length === 1) return [`use_backend ${backendName(first.arn)} if ${when}`];
      const total = groups.reduce((sum, { weight }) => sum + weight, 0);
      let below = 0;
      return [
        `http-request set-var(txn.draw) rand(${total}) if ${when}`,
        ...groups.map(({ arn, weight }) => {
          below += weight;
          return `use_backend ${backendName(arn)} if ${when} { var(txn.draw) -m int lt ${below} }`;
        }),
      ];
    }
    case 'redirect': {
      const start = `http-request redirect code ${action.status === 301 ? 301 : 302} location`;
      const [plain, withQuery] = location(action, listener);
      if (plain === withQuery) return [`${start} '${plain}' if ${when}`];
      return [`${start} '${withQuery}' if ${when} { query -m found }`, `${start} '${plain}' if ${when}`];
    }
    case 'fixed-response': {
      if (!Number.isInteger(action.status) || action.status < 200 || action.status > 599)
        throw new Error(`${action.status} is no status.`);
      if (!action.body) return [`http-request return status ${action.status} if ${when}`];
      const file = `${listener.port}-${index}.body`;
      files.set(file, action.body);
      const type = mediaType(action.contentType ?? 'text/plain');
      return [`http-request return status ${action.status} content-type ${type} file ${folder}/${file} if ${when}`];
    }
  }
}

/** A redirect's location without and with the query string; a `?` stands only before a query (ELB guide, "Redirect actions"). */
function location(action: RuleAction & { type: 'redirect' }, listener: ListenerDocument): [string, string] {
  const known: Record<string, string> = {
    protocol: listener.protocol.toLowerCase(),
    host: '%[req.hdr(host),host_only]',
    port: String(listener.port),
    path: '%[path,regsub(^/,)]',
    query: '%[query]',
  };
  const fill = (text: string): string =>
    text
      .split(/#\{(protocol|host|port|path|query)\}/)
      .map((part, at) => (at % 2 === 1 ? known[part] : urlText(part)))
      .join('');
  const protocol = action.protocol === '#{protocol}' ? 'http' : action.protocol.toLowerCase();
  if (protocol !== 'http' && protocol !== 'https')
    throw new Error(`${JSON.stringify(action.protocol)} is no protocol.`);
  const path = action.path.startsWith('/') ? action.path : `/${action.path}`;
  const base = `${protocol}://${fill(action.host)}:${fill(action.port)}${fill(path)}`;
  if (action.query === '') return [base, base];
  const withQuery = `${base}?${fill(action.query)}`;
  return action.query === '#{query}' ? [base, withQuery] : [withQuery, withQuery];
}
