/** What one field of a cron expression allows: numbers, and for days the words that depend on the month. */
interface Field {
  readonly values: ReadonlySet<number>;
}

interface Days {
  /** Undefined for `?`. */
  readonly values?: ReadonlySet<number>;
  /** `L`, `L-3`: so many days before the month's last. */
  readonly beforeLast: readonly number[];
  /** `15W`: the weekday nearest to that day of the month. */
  readonly weekdays: readonly number[];
  /** `LW`: the last weekday of the month. */
  readonly lastWeekday: boolean;
}

interface Weekdays {
  readonly values?: ReadonlySet<number>;
  /** `6L`: the last one of the month. */
  readonly last: readonly number[];
  /** `3#2`: the second one of the month. */
  readonly nth: readonly { readonly weekday: number; readonly week: number }[];
}

/** A cron expression as EventBridge has them, in UTC. Weekdays are 1 (Sunday) to 7. */
export interface Cron {
  readonly minutes: Field;
  readonly hours: Field;
  readonly days: Days;
  readonly months: Field;
  readonly weekdays: Weekdays;
  readonly years: Field;
}

const monthNames = 'JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC'.split(' ');
const dayNames = 'SUN MON TUE WED THU FRI SAT'.split(' ');
const firstYear = 1970;
const lastYear = 2199;

/**
 * Reads the six fields between the brackets of `cron(…)`: minutes, hours, day of month, month, day of week, year; undefined where they
 * break the rules (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cron-expressions.html).
 */
export function parseCron(text: string): Cron | undefined {
  const fields = text.trim().split(/\s+/);
  if (fields.length !== 6) return undefined;
  const [minute = '', hour = '', day = '', month = '', weekday = '', year = ''] = fields.map((field) =>
    field.toUpperCase(),
  );
  // One of the two says which days; the other must leave it open.
  if ((day === '?') === (weekday === '?')) return undefined;
  const minutes = numbers(minute, 0, 59);
  const hours = numbers(hour, 0, 23);
  const days = parseDays(day);
  const months = numbers(month, 1, 12, monthNames);
  const weekdays = parseWeekdays(weekday);
  const years = numbers(year, firstYear, lastYear);
  if (!minutes || !hours || !days || !months || !weekdays || !years) return undefined;
  return {
    minutes: { values: minutes },
    hours: { values: hours },
    days,
    months: { values: months },
    weekdays,
    years: { values: years },
  };
}

/** `*`, `5`, `1-5`, `0/15`, a star with a step, and lists of them. */
function numbers(text: string, low: number, high: number, names: readonly string[] = []): Set<number> | undefined {
  const found = new Set<number>();
  for (const part of text.split(',')) {
    const [range = '', stepText, more] = part.split('/');
    const bounds = range === '*' ? [low, high] : range.split('-').map((each) => number(each, low, high, names));
    const [from, to = stepText === undefined ? from : high] = bounds;
    const step = stepText === undefined ? 1 : number(stepText, 1, high);
    if (more !== undefined || bounds.length > 2 || bounds.includes(undefined)) return undefined;
    if (from === undefined || to === undefined || step === undefined || from > to) return undefined;
    for (let value = from; value <= to; value += step) found.add(value);
  }
  return found;
}

function number(text: string, low: number, high: number, names: readonly string[] = []): number | undefined {
  const named = names.indexOf(text);
  if (named >= 0) return named + 1;
  const value = /^\d{1,4}$/.test(text) ? Number(text) : -1;
  return value >= low && value <= high ? value : undefined;
}

function parseDays(text: string): Days | undefined {
  const beforeLast: number[] = [];
  const weekdays: number[] = [];
  let lastWeekday = false;
  if (text === '?') return { beforeLast, weekdays, lastWeekday };
  const plain: string[] = [];
  for (const part of text.split(',')) {
    const before = /^L(?:-(\d{1,2}))?$/.exec(part);
    const near = /^(\d{1,2})W$/.exec(part);
    if (part === 'LW') lastWeekday = true;
    else if (before && Number(before[1] ?? 0) <= 30) beforeLast.push(Number(before[1] ?? 0));
    else if (near && Number(near[1]) >= 1 && Number(near[1]) <= 31) weekdays.push(Number(near[1]));
    else plain.push(part);
  }
  const values = plain.length === 0 ? new Set<number>() : numbers(plain.join(','), 1, 31);
  return values && { values, beforeLast, weekdays, lastWeekday };
}

function parseWeekdays(text: string): Weekdays | undefined {
  const last: number[] = [];
  const nth: { weekday: number; week: number }[] = [];
  if (text === '?') return { last, nth };
  const plain: string[] = [];
  for (const part of text.split(',')) {
    const [, day = '', mark = '', week = ''] = /^([A-Z0-9]+?)(L|#)([1-5]?)$/.exec(part) ?? [];
    const weekday = number(day, 1, 7, dayNames);
    if (part === 'L') plain.push('7');
    else if (mark === 'L' && weekday !== undefined && week === '') last.push(weekday);
    else if (mark === '#' && weekday !== undefined && week !== '') nth.push({ weekday, week: Number(week) });
    else plain.push(part);
  }
  const values = plain.length === 0 ? new Set<number>() : numbers(plain.join(','), 1, 7, dayNames);
  return values && { values, last, nth };
}

const minuteMs = 60_000;
const dayMs = 86_400_000;

/** The first time after `after` (milliseconds since the epoch) that fits; undefined where none comes any more. */
export function nextCron(cron: Cron, after: number): number | undefined {
  const start = (Math.floor(after / minuteMs) + 1) * minuteMs;
  const begin = new Date(start);
  for (let year = begin.getUTCFullYear(); year <= lastYear; year++) {
    if (!cron.years.values.has(year)) continue;
    for (let month = 1; month <= 12; month++) {
      if (!cron.months.values.has(month) || Date.UTC(year, month, 1) <= start) continue;
      for (const day of daysOf(cron, year, month)) {
        const date = Date.UTC(year, month - 1, day);
        if (date + dayMs <= start) continue;
        const time = timeIn(cron, date, start);
        if (time !== undefined) return time;
      }
    }
  }
  return undefined;
}

function timeIn(cron: Cron, date: number, start: number): number | undefined {
  for (let hour = 0; hour < 24; hour++) {
    if (!cron.hours.values.has(hour)) continue;
    for (let minute = 0; minute < 60; minute++) {
      const time = date + (hour * 60 + minute) * minuteMs;
      if (cron.minutes.values.has(minute) && time >= start) return time;
    }
  }
  return undefined;
}

/** The days of a month that fit, in order. */
function daysOf({ days, weekdays }: Cron, year: number, month: number): number[] {
  const length = new Date(Date.UTC(year, month, 0)).getUTCDate();
  const weekdayOf = (day: number) => new Date(Date.UTC(year, month - 1, day)).getUTCDay() + 1;
  const fits = new Set<number>();
  for (let day = 1; day <= length; day++) {
    if (days.values?.has(day) || weekdays.values?.has(weekdayOf(day))) fits.add(day);
    const isLast = day + 7 > length;
    if (isLast && weekdays.last.includes(weekdayOf(day))) fits.add(day);
    if (weekdays.nth.some(({ weekday, week }) => weekday === weekdayOf(day) && Math.ceil(day / 7) === week))
      fits.add(day);
  }
  for (const before of days.beforeLast) if (before < length) fits.add(length - before);
  for (const day of days.weekdays) if (day <= length) fits.add(nearestWeekday(day, length, weekdayOf));
  if (days.lastWeekday) fits.add(nearestWeekday(length, length, weekdayOf));
  return [...fits].sort((a, b) => a - b);
}

/** The Monday to Friday nearest to a day, within its month. */
function nearestWeekday(day: number, length: number, weekdayOf: (day: number) => number): number {
  const weekday = weekdayOf(day);
  if (weekday === 7) return day > 1 ? day - 1 : day + 2;
  if (weekday === 1) return day < length ? day + 1 : day - 2;
  return day;
}
