/**
 * Formats as patterns of the whole text. Each is what a standard allows, or a part of it that is safe everywhere: what
 * comes out is always valid, and some that is valid never comes out (leap seconds, addresses with comments and quotes).
 */
const DAYS_31 = '(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])';
const DAYS_30 = '(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)';
const FEBRUARY = '02-(?:0[1-9]|1\\d|2[0-8])';
const LEAP_YEAR = '(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)';
const DATE = `(?:\\d{4}-(?:${DAYS_31}|${DAYS_30}|${FEBRUARY})|${LEAP_YEAR}-02-29)`;
const HOUR = '(?:[01]\\d|2[0-3])';
const TIME = `${HOUR}:[0-5]\\d:[0-5]\\d(?:\\.\\d{1,9})?(?:Z|[+-]${HOUR}:[0-5]\\d)`;

const COUNT = '\\d{1,9}';
const DAYS = `(?:${COUNT}Y(?:${COUNT}M(?:${COUNT}D)?)?|${COUNT}M(?:${COUNT}D)?|${COUNT}D)`;
const SECONDS = `T(?:${COUNT}H(?:${COUNT}M(?:${COUNT}S)?)?|${COUNT}M(?:${COUNT}S)?|${COUNT}S)`;

/** At most 63 letters, no two hyphens together; five of them stay below 254. */
const LABEL = '[A-Za-z0-9]{1,15}(?:-[A-Za-z0-9]{1,15}){0,2}';
const HOST = `${LABEL}(?:\\.${LABEL}){0,4}`;
const ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}";

const BYTE = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const GROUP = '[0-9A-Fa-f]{1,4}';
/** Eight groups, or fewer on both sides of `::`. */
const IPV6 = [
  `(?:${GROUP}:){7}${GROUP}`,
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((before) => {
    const after = 7 - before;
    const left = before === 0 ? ':' : `(?:${GROUP}:){${before}}`;
    if (after === 0) return `${left}:`;
    return `${left}(?::|(?::${GROUP}){1,${after}})`;
  }),
].join('|');

const PATH_LETTER = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})";
const PATH = `(?:/${PATH_LETTER}*)*`;
const QUERY = `(?:${PATH_LETTER}|[/?])*`;

export const FORMATS: Readonly<Record<string, string>> = {
  date: DATE,
  time: TIME,
  'date-time': `${DATE}T${TIME}`,
  duration: `P(?:${COUNT}W|${DAYS}(?:${SECONDS})?|${SECONDS})`,
  uuid: '[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}',
  ipv4: `(?:${BYTE}\\.){3}${BYTE}`,
  ipv6: IPV6,
  hostname: HOST,
  email: `${ATOM}(?:\\.${ATOM}){0,2}@${HOST}`,
  uri: `[A-Za-z][A-Za-z0-9+.-]{0,30}:(?://${HOST}(?::\\d{1,5})?${PATH}|${PATH_LETTER}+${PATH})(?:\\?${QUERY})?(?:#${QUERY})?`,
};
