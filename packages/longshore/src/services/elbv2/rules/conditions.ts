import type { RuleCondition as SdkCondition } from '@aws-sdk/client-elastic-load-balancing-v2';
import type { RuleCondition } from '../../../protocol/documents.ts';
import { invalid, notYet } from '../errors.ts';

type Field = RuleCondition['field'];

const once: readonly string[] = ['host-header', 'path-pattern', 'http-request-method', 'source-ip'];

/**
 * A rule's conditions as callers write them, checked and in the shape that DescribeRules shows
 * (https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html).
 * Throws ValidationError.
 */
export function parseConditions(conditions: readonly SdkCondition[]): SdkCondition[] {
  if (conditions.length === 0) throw invalid('A condition must be specified');
  const parsed = conditions.map(parseCondition);
  for (const field of once) {
    if (parsed.filter((condition) => condition.Field === field).length > 1) {
      throw invalid(`Only one condition of field '${field}' is allowed in a rule`);
    }
  }
  const values = parsed.flatMap(textsOf);
  if (values.length > 5) throw invalid('A rule can have at most 5 condition values');
  if (values.join('').replace(/[^*?]/g, '').length > 6) throw invalid('A rule can have at most 6 wildcards');
  return parsed;
}

function parseCondition(condition: SdkCondition): SdkCondition {
  if (condition.RegexValues?.length || hasRegex(condition)) throw notYet('Conditions with regular expressions are');
  switch (condition.Field) {
    case 'host-header': {
      const Values = texts(condition.Values, condition.HostHeaderConfig?.Values, 'host-header', 128, /^[\w.*?:-]+$/);
      return { Field: 'host-header', Values, HostHeaderConfig: { Values } };
    }
    case 'path-pattern': {
      const Values = texts(
        condition.Values,
        condition.PathPatternConfig?.Values,
        'path-pattern',
        128,
        /^[\w\-.$/~"'@:+&*?%()!,;=]+$/,
      );
      return { Field: 'path-pattern', Values, PathPatternConfig: { Values } };
    }
    case 'http-request-method': {
      const Values = texts(
        undefined,
        condition.HttpRequestMethodConfig?.Values,
        'http-request-method',
        40,
        /^[A-Z_-]+$/,
      );
      return { Field: 'http-request-method', HttpRequestMethodConfig: { Values } };
    }
    case 'source-ip': {
      const Values = texts(undefined, condition.SourceIpConfig?.Values, 'source-ip', 49, /^[0-9a-fA-F.:]+\/\d+$/);
      for (const value of Values) {
        if (!isRange(value)) throw invalid(`The source-ip value '${value}' is not a valid CIDR`);
      }
      return { Field: 'source-ip', SourceIpConfig: { Values } };
    }
    case 'http-header': {
      const name = condition.HttpHeaderConfig?.HttpHeaderName ?? '';
      if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}$/.test(name)) {
        throw invalid(`The HTTP header name '${name}' is not valid`);
      }
      if (name.toLowerCase() === 'host') throw invalid("Use a condition of field 'host-header' for the host header");
      const Values = texts(undefined, condition.HttpHeaderConfig?.Values, 'http-header', 128, /^[\x20-\x7e]+$/);
      return { Field: 'http-header', HttpHeaderConfig: { HttpHeaderName: name, Values } };
    }
    case 'query-string': {
      const pairs = (condition.QueryStringConfig?.Values ?? []).map(({ Key, Value }) => {
        const checked = [Key, Value].map((text) => (text ? plain(text, 'query-string', 128, /^[\x20-\x7e]+$/) : text));
        if (!Value) throw invalid('A query-string condition must have a value');
        return { ...(Key ? { Key: checked[0] } : {}), Value };
      });
      if (pairs.length === 0) throw invalid('A condition value must be specified');
      return { Field: 'query-string', QueryStringConfig: { Values: pairs } };
    }
    default:
      throw invalid(
        `Condition field '${condition.Field ?? ''}' must be one of '[path-pattern, host-header, http-header, http-request-method, query-string, source-ip]'`,
      );
  }
}

function isRange(text: string): boolean {
  const [address = '', prefix] = text.split('/');
  if (address.includes(':')) return Number(prefix) <= 128;
  const parts = address.split('.');
  return (
    parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255) && Number(prefix) <= 32
  );
}

function hasRegex({ HostHeaderConfig, PathPatternConfig, HttpHeaderConfig }: SdkCondition): boolean {
  return [HostHeaderConfig, PathPatternConfig, HttpHeaderConfig].some((config) => config?.RegexValues?.length);
}

function texts(
  plainValues: readonly string[] | undefined,
  configured: readonly string[] | undefined,
  field: Field,
  longest: number,
  allowed: RegExp,
): string[] {
  if (plainValues?.length && configured?.length) {
    throw invalid(`You can't specify both Values and a configuration for a condition of field '${field}'`);
  }
  const values = (configured?.length ? configured : plainValues) ?? [];
  if (values.length === 0) throw invalid('A condition value must be specified');
  return values.map((value) => plain(value, field, longest, allowed));
}

function plain(value: string, field: Field, longest: number, allowed: RegExp): string {
  if (value.length > longest)
    throw invalid(`The ${field} value '${value}' cannot be longer than '${longest}' characters`);
  if (!allowed.test(value)) throw invalid(`The ${field} value '${value}' contains invalid characters`);
  return value;
}

function textsOf(condition: SdkCondition): string[] {
  const document = conditionDocument(condition);
  return document.field === 'query-string'
    ? document.values.map(({ key, value }) => `${key ?? ''}${value}`)
    : [...document.values];
}

/** A parsed condition as nodes are told of it. */
export function conditionDocument(condition: SdkCondition): RuleCondition {
  const field = condition.Field as Field;
  switch (field) {
    case 'http-header':
      return {
        field,
        name: condition.HttpHeaderConfig?.HttpHeaderName ?? '',
        values: condition.HttpHeaderConfig?.Values ?? [],
      };
    case 'query-string':
      return {
        field,
        values: (condition.QueryStringConfig?.Values ?? []).map(({ Key, Value = '' }) =>
          Key === undefined ? { value: Value } : { key: Key, value: Value },
        ),
      };
    case 'host-header':
    case 'path-pattern':
      return { field, values: condition.Values ?? [] };
    case 'http-request-method':
      return { field, values: condition.HttpRequestMethodConfig?.Values ?? [] };
    case 'source-ip':
      return { field, values: condition.SourceIpConfig?.Values ?? [] };
  }
}
