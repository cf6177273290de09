import type { Action } from '@aws-sdk/client-elastic-load-balancing-v2';
import type { RuleAction } from '../../../protocol/documents.ts';
import { fault, invalid, notYet } from '../errors.ts';

const contentTypes = ['text/plain', 'text/css', 'text/html', 'application/javascript', 'application/json'];

/**
 * A rule's actions as callers write them, checked and in the shape that DescribeRules shows
 * (https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-action-types.html): exactly one that ends the
 * request. Throws ValidationError, TooManyActions, InvalidLoadBalancerAction.
 */
export function parseActions(actions: readonly Action[]): Action[] {
  const [action, ...more] = actions;
  if (!action) throw invalid('An action must be specified');
  for (const { Type } of actions) {
    if (Type === 'authenticate-oidc' || Type === 'authenticate-cognito' || Type === 'jwt-validation') {
      throw notYet(`Actions of type '${Type}' are`);
    }
  }
  if (more.length > 0)
    throw fault('InvalidLoadBalancerAction', 'A rule can have only one forward, redirect or fixed-response action');
  return [parseAction(action)];
}

function parseAction(action: Action): Action {
  const order = action.Order === undefined ? {} : { Order: action.Order };
  switch (action.Type) {
    case 'forward':
      return { Type: 'forward', ...order, ...parseForward(action) };
    case 'redirect':
      return { Type: 'redirect', ...order, RedirectConfig: parseRedirect(action.RedirectConfig) };
    case 'fixed-response':
      return { Type: 'fixed-response', ...order, FixedResponseConfig: parseFixedResponse(action.FixedResponseConfig) };
    default:
      throw fault('InvalidLoadBalancerAction', `The action type '${action.Type ?? ''}' is not valid`);
  }
}

function parseForward(action: Action): Pick<Action, 'TargetGroupArn' | 'ForwardConfig'> {
  const { ForwardConfig: config, TargetGroupArn: single } = action;
  const tuples = config?.TargetGroups ?? (single === undefined ? [] : [{ TargetGroupArn: single }]);
  if (tuples.length === 0) throw invalid('A target group ARN must be specified');
  if (tuples.length > 5)
    throw fault('TooManyUniqueTargetGroupsPerLoadBalancer', 'A forward action can name at most 5 target groups');
  if (single !== undefined && (tuples.length > 1 || tuples[0]?.TargetGroupArn !== single)) {
    throw invalid('A target group ARN and a ForwardConfig must name the same target group');
  }
  if (config?.TargetGroupStickinessConfig?.Enabled) throw notYet('Target group stickiness of forward actions is');
  const TargetGroups = tuples.map(({ TargetGroupArn = '', Weight = 1 }) => {
    if (Weight < 0 || Weight > 999) throw invalid(`The weight '${Weight}' must be between 0 and 999`);
    return { TargetGroupArn, Weight };
  });
  if (new Set(TargetGroups.map((tuple) => tuple.TargetGroupArn)).size < TargetGroups.length) {
    throw invalid('A forward action cannot name a target group twice');
  }
  const [first] = TargetGroups;
  return {
    ...(TargetGroups.length === 1 && first ? { TargetGroupArn: first.TargetGroupArn } : {}),
    ForwardConfig: { TargetGroups, TargetGroupStickinessConfig: { Enabled: false } },
  };
}

function parseRedirect(config: Action['RedirectConfig']): NonNullable<Action['RedirectConfig']> {
  if (!config) throw invalid('A redirect configuration must be specified');
  const parsed = {
    Protocol: config.Protocol ?? '#{protocol}',
    Port: config.Port ?? '#{port}',
    Host: config.Host ?? '#{host}',
    Path: config.Path ?? '/#{path}',
    Query: config.Query ?? '#{query}',
    StatusCode: config.StatusCode,
  };
  const { Protocol, Port, Host, Path, Query, StatusCode } = parsed;
  if (!/^(HTTPS?|#\{protocol\})$/.test(Protocol)) throw invalid(`The redirect protocol '${Protocol}' is not valid`);
  if (Port !== '#{port}' && !(/^\d{1,5}$/.test(Port) && Number(Port) >= 1 && Number(Port) <= 65_535)) {
    throw invalid(`The redirect port '${Port}' is not valid`);
  }
  if (!Path.startsWith('/')) throw invalid(`The redirect path '${Path}' must start with '/'`);
  if (StatusCode !== 'HTTP_301' && StatusCode !== 'HTTP_302') {
    throw invalid("The redirect status code must be one of '[HTTP_301, HTTP_302]'");
  }
  for (const text of [Host, Path, Query]) {
    if (text.length > 128) throw invalid(`'${text}' cannot be longer than '128' characters`);
    if (!/^[\x20-\x7e]*$/.test(text)) throw invalid(`'${text}' contains invalid characters`);
  }
  if (Host === '') throw invalid('The redirect host cannot be empty');
  const same = Protocol === '#{protocol}' && Port === '#{port}' && Host === '#{host}' && Path === '/#{path}';
  if (same) {
    throw fault(
      'InvalidLoadBalancerAction',
      'The redirect configuration is not valid because it creates a loop. You must modify at least one of the following components: protocol, port, hostname or path.',
    );
  }
  return { ...parsed, StatusCode };
}

function parseFixedResponse(config: Action['FixedResponseConfig']): NonNullable<Action['FixedResponseConfig']> {
  const { StatusCode = '', ContentType, MessageBody } = config ?? {};
  if (!/^(2|4|5)\d\d$/.test(StatusCode)) {
    throw invalid(`The fixed-response status code '${StatusCode}' must match '^(2|4|5)\\d\\d$'`);
  }
  if (ContentType !== undefined && ContentType !== '' && !contentTypes.includes(ContentType)) {
    throw invalid(`The fixed-response content type '${ContentType}' must be one of '[${contentTypes.join(', ')}]'`);
  }
  if ((MessageBody ?? '').length > 1024) {
    throw invalid("The fixed-response message body cannot be longer than '1024' characters");
  }
  return {
    StatusCode,
    ...(ContentType ? { ContentType } : {}),
    ...(MessageBody === undefined ? {} : { MessageBody }),
  };
}

/** The target groups that parsed actions name. */
export function targetGroupsOf(actions: readonly Action[]): string[] {
  return actions.flatMap((action) =>
    (action.ForwardConfig?.TargetGroups ?? []).map((tuple) => tuple.TargetGroupArn ?? ''),
  );
}

/** Parsed actions as nodes are told of them. */
export function actionDocument(actions: readonly Action[]): RuleAction {
  const action = actions.at(-1);
  if (action?.Type === 'redirect') {
    const { StatusCode, Protocol = '', Host = '', Port = '', Path = '', Query = '' } = action.RedirectConfig ?? {};
    return {
      type: 'redirect',
      status: StatusCode === 'HTTP_301' ? 301 : 302,
      protocol: Protocol,
      host: Host,
      port: Port,
      path: Path,
      query: Query,
    };
  }
  if (action?.Type === 'fixed-response') {
    const { StatusCode, ContentType, MessageBody } = action.FixedResponseConfig ?? {};
    return {
      type: 'fixed-response',
      status: Number(StatusCode),
      ...(ContentType === undefined ? {} : { contentType: ContentType }),
      ...(MessageBody === undefined ? {} : { body: MessageBody }),
    };
  }
  return {
    type: 'forward',
    targetGroups: (action?.ForwardConfig?.TargetGroups ?? []).map(({ TargetGroupArn = '', Weight = 1 }) => ({
      arn: TargetGroupArn,
      weight: Weight,
    })),
  };
}
