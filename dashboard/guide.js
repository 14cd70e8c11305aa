// guide - the API Error Guide, word for word, and which of its entries belongs to which error. `names` are the rows of
// fcgi-app/base/errors.def, `says` matches the message as a caller sees it.
export const INTRO = {
  back: 'Back to API Dashboard',
  kicker: 'Troubleshooting',
  title: 'API Error Guide',
  text: 'Running into errors? This guide explains what each error means, when it happens, and exactly how to fix it.',
};

export const CODES = [
  ['400', 'Invalid request format', 'Check your request body', 'invalid-request'],
  ['401', 'Authentication failed', 'Check your API key', 'cant-connect'],
  ['402', 'Out of credits / budget', 'Deposit USDC or raise budget', 'out-of-credits'],
  ['429', 'Too many requests', 'Wait a few seconds, then retry', 'too-many-requests'],
  ['502', 'Provider auth failed', 'Auto-retried; contact support if repeated', 'provider-auth'],
  ['503', 'No providers available', 'Retry in a few seconds', 'no-providers'],
  ['504', 'Provider timed out', 'Retry your request', 'provider-timeout'],
  ['529', 'Upstream overloaded', 'Wait 5–10s, then retry', 'overloaded'],
];

export const SECTIONS = [
  {
    id: 'cant-connect',
    title: "Can't Connect",
    text: "You'll see these when there's a problem with your API key or login session.",
    entries: [
      {
        id: 'missing-api-key', status: 401, title: 'Missing API key', names: ['NO_KEY'],
        what: 'You sent a request without an API key, or forgot the Authorization header.',
        fix: 'Add your key to the request header: Authorization: Bearer sk-ant-... (or use x-api-key header).',
      },
      {
        id: 'invalid-api-key', status: 401, title: 'Invalid API key', names: ['BAD_KEY'],
        what: "The API key you're using doesn't exist, was deleted, or has been disabled.",
        fix: 'Go to the API dashboard and check your keys. Generate a new one if needed — the old key may have been revoked.',
      },
      {
        id: 'invalid-token', status: 401, title: 'Invalid or expired token', names: ['BAD_SESSION'],
        what: "You're using the web dashboard and your login session has expired (sessions last 24 hours).",
        fix: 'Log in again — your wallet and keys are all still there.',
      },
    ],
  },
  {
    id: 'out-of-credits',
    title: 'Out of Credits',
    text: "You'll see these when your account or a specific key runs out of funds.",
    entries: [
      {
        id: 'insufficient-balance', status: 402, title: 'Insufficient balance', names: ['BALANCE'],
        what: 'Your USDC balance on DeRouter has been fully spent.',
        fix: 'Deposit more USDC on the API dashboard. Your balance updates instantly once the on-chain transaction confirms.',
      },
      {
        id: 'budget-exceeded', status: 402, title: 'API key budget ($N) exceeded', names: ['BUDGET'], says: /^API key budget \(\$.*\) exceeded/,
        what: "You set a spending cap on this key (e.g. $10/month) and it's been reached.",
        fix: 'Edit the key in Key Management to raise the budget, or generate a new key without a spending limit.',
      },
    ],
  },
  {
    id: 'too-many-requests',
    title: 'Too Many Requests',
    text: "You'll see these when you're sending requests faster than your key's limits allow.",
    entries: [
      {
        id: 'rpm-limit', status: 429, title: 'Requests per minute limit (N) exceeded', names: ['RPM'], says: /^Requests per minute limit \(/,
        what: "You've sent more requests in the last minute than your key's RPM limit (default: 60/min).",
        fix: 'Wait a few seconds and retry. If you consistently need more throughput, contact support to raise your limit.',
      },
      {
        id: 'concurrent-limit', status: 429, title: 'Concurrent limit (N) exceeded', names: ['CONCURRENCY', 'HELD'], says: /^Concurrent limit \(/,
        what: 'You have too many requests running at the same time (default limit: 5 concurrent).',
        fix: 'Wait for some requests to finish before sending new ones, or add a queue to your client code.',
      },
    ],
  },
  {
    id: 'invalid-request',
    title: 'Invalid Request',
    text: "You'll see these when there's something wrong with how the request is formatted.",
    entries: [
      {
        id: 'model-required', status: 400, title: 'model is required', names: ['NO_MODEL'],
        what: 'Your request body is missing the "model" field.',
        fix: 'Add a model to your request, e.g. "model": "claude-sonnet-4-6". Check the pricing table for all available models.',
      },
      {
        id: 'model-not-available', status: 400, title: 'Model "X" is not available', names: ['MODEL_UNAVAILABLE'], says: /^Model ".*" is not available/,
        what: "You requested a model that doesn't exist or isn't currently available.",
        fix: "Check the error message for the list of supported models, or call GET /v1/models to see what's online right now.",
      },
    ],
    closing: 'Other request errors (prompt too long, invalid tool format, etc.) are passed through from the upstream API with the original message.',
  },
  {
    id: 'no-providers',
    title: 'No Providers Available',
    text: "These are temporary — DeRouter can't find a provider to handle your request right now, but one should become available shortly.",
    entries: [
      {
        id: 'no-providers-online', status: 503, title: 'No providers are currently online', names: ['OFFLINE'],
        what: 'No provider nodes are connected to the network for the model you requested.',
        fix: 'This usually resolves within 1–2 minutes as providers come online. Retry shortly.',
      },
      {
        id: 'scheduled-rest', status: 503, title: 'All providers are in scheduled rest', names: ['RESTING'],
        what: 'All providers for this model are in their scheduled rest period (16h online, 8h rest).',
        fix: 'Wait a few minutes — providers rotate on different schedules, so capacity returns quickly.',
      },
      {
        id: 'max-concurrency', status: 503, title: 'All providers are at max concurrency', names: ['FULL'],
        what: "All providers are busy handling other requests and can't take yours right now.",
        fix: 'Retry in a few seconds. This usually clears up very quickly during normal load.',
      },
    ],
    tip: 'Tip: All "no provider" errors are transient. A simple retry with a short delay (2–5 seconds) will usually succeed.',
  },
  {
    id: 'upstream',
    title: 'Upstream Issues',
    text: 'These come from the AI provider (Anthropic or OpenAI) after DeRouter has already tried multiple providers automatically.',
    entries: [
      {
        id: 'provider-auth', status: 502, title: 'Provider authentication failed', names: ['PROVIDER_AUTH'],
        what: "A provider's AI account credential has expired or been revoked.",
        fix: "DeRouter automatically retries with a different provider. If you see this repeatedly, contact support — we'll look into it.",
      },
      {
        id: 'provider-timeout', status: 504, title: 'Provider timed out', names: ['PROVIDER_TIMEOUT'],
        what: "The AI provider didn't respond within 5 minutes (usually for very long responses).",
        fix: 'Retry your request. Consider breaking very long tasks into smaller chunks.',
      },
      {
        id: 'overloaded', status: 529, title: 'Upstream API is temporarily overloaded', names: ['OVERLOADED'],
        what: "Anthropic or OpenAI's servers are under heavy load.",
        fix: "Wait 5–10 seconds and retry. This is on the AI provider's side, not DeRouter.",
      },
    ],
  },
  {
    id: 'reading',
    title: 'Reading Error Responses',
    text: "DeRouter returns errors in the same format as the AI provider you're calling, so your existing error handling code works without changes.",
    entries: [],
    shapes: [
      ['Claude API', '/v1/messages', '{ "type": "error", "error": { "type": "...", "message": "..." } }'],
      ['OpenAI API', '/v1/chat/completions, /v1/responses', '{ "error": { "type": "...", "message": "..." } }'],
    ],
  },
];

export const SUPPORT = {
  title: 'Need to contact support?',
  text: 'Every response includes a request-id header (e.g. req_a1b2c3...). Share this ID with us so we can trace exactly what happened with your request.',
  closing: "Still stuck? We're happy to help.",
};

const entries = SECTIONS.flatMap((section) => section.entries);

// The entry of an error's name (a receipt, a row of the activity) or of its message (an answer of /api).
export const byName = (name) => entries.find((entry) => entry.names.includes(String(name).toUpperCase()));
export const byMessage = (message) => entries.find((entry) => entry.title === message || entry.says?.test(message));

// Errors that the guide has no entry of their own for: a few plain words, and the section that speaks of their kind.
const OTHERS = {
  BAD_JSON: ['Body is not valid JSON', 'invalid-request'],
  BAD_FIELD: ['A field is not accepted', 'invalid-request'],
  BAD_HEADER: ['A header is not accepted', 'invalid-request'],
  BODY_TOO_LARGE: ['Body too large', 'invalid-request'],
  HEADERS_TOO_LARGE: ['Headers too large', 'invalid-request'],
  NOT_FOUND: ['Unknown URL', 'invalid-request'],
  BAD_METHOD: ['Wrong method', 'invalid-request'],
  PROVIDER_REFUSED: ['Refused by the provider', 'invalid-request'],
  PROVIDER_ERROR: ['Provider error', 'upstream'],
  CLIENT_GONE: ['Your client left', null],
  STORE_DOWN: ['Gateway unavailable', null],
  UNRECORDED: ['Gateway unavailable', null],
  TOO_BUSY: ['Gateway busy', null],
  SHUTDOWN: ['Gateway restarting', null],
  INTERNAL: ['Gateway error', null],
};

// An error of a row, in a few words, and where in the guide it leads (null: nowhere). Where the model is known, it is named.
export function inShort(name, model) {
  const entry = byName(name);
  if (entry) return { text: entry.title.replace(/ \(\$?N\)/, '').replace('"X" ', () => (model ? `"${model}" ` : '')), id: entry.id };
  const [text, id] = OTHERS[String(name).toUpperCase()] ?? [String(name).toLowerCase().replaceAll('_', ' '), null];
  return { text, id };
}
