/** No room for a file (ENOSPC, EDQUOT) or for the database (SQLITE_FULL, 13; PostgreSQL's disk_full, 53100). */
export function isDiskFull(error: unknown): boolean {
  const { code, errcode } = (error ?? {}) as { code?: unknown; errcode?: unknown };
  return code === 'ENOSPC' || code === 'EDQUOT' || code === '53100' || errcode === 13;
}
