// dialects - the three APIs as a test uses them: path, body, SDK clients, how an answer is read.
import Anthropic from '@anthropic-ai/sdk';
import Anthropic0 from 'anthropic-sdk-0';
import OpenAI from 'openai';
import OpenAI4 from 'openai-4';

const text = (pieces) => pieces.filter(Boolean).join('');

export const dialects = {
  messages: {
    path: '/v1/messages',
    anthropic: true,
    body: (model, prompt, extra) => ({ model, max_tokens: 64, messages: [{ role: 'user', content: prompt }], ...extra }),
    clients: (base, apiKey) => ({
      '@anthropic-ai/sdk': new Anthropic({ apiKey, baseURL: base, maxRetries: 0 }),
      'anthropic-sdk-0': new Anthropic0({ apiKey, baseURL: base, maxRetries: 0 }),
    }),
    ask: (client, body) => client.messages.create(body),
    textOf: (answer) => text(answer.content.map((part) => part.text)),
    deltaOf: (event) => event.delta?.text,
    terminal: (event) => event.type === 'message_stop',
    failed: (event) => event.type === 'error' && event.error,
  },
  chat: {
    path: '/v1/chat/completions',
    body: (model, prompt, extra) => ({ model, messages: [{ role: 'user', content: prompt }], ...extra }),
    clients: openai,
    ask: (client, body) => client.chat.completions.create(body),
    textOf: (answer) => answer.choices[0].message.content,
    deltaOf: (event) => event.choices?.[0]?.delta?.content,
    terminal: (event) => Boolean(event.choices?.[0]?.finish_reason),
    failed: (event) => event.error,
  },
  responses: {
    path: '/v1/responses',
    body: (model, prompt, extra) => ({ model, input: prompt, ...extra }),
    clients: openai,
    ask: (client, body) => client.responses.create(body),
    textOf: (answer) => text(answer.output.flatMap((item) => item.content ?? []).map((part) => part.text)),
    deltaOf: (event) => (event.type === 'response.output_text.delta' ? event.delta : undefined),
    terminal: (event) => event.type === 'response.completed',
    failed: (event) => (event.type === 'response.failed' ? event.response.error : event.type === 'error' ? event : undefined),
  },
};

function openai(base, apiKey) {
  const options = { apiKey, baseURL: `${base}/v1`, maxRetries: 0 };
  return { openai: new OpenAI(options), 'openai-4': new OpenAI4(options) };
}

// The data of an SSE body, parsed; "[DONE]" stays a word.
export function events(body) {
  return body.split(/\r\n\r\n|\n\n|\r\r/).flatMap((block) => {
    const data = block.split(/\r\n|\n|\r/).filter((line) => line.startsWith('data:')).map((line) => line.slice(5).replace(/^ /, ''));
    if (data.length === 0) return [];
    const joined = data.join('\n');
    return [joined === '[DONE]' ? joined : JSON.parse(joined)];
  });
}

// What differs between two answers to one question: ids and times.
export function timeless(body) {
  return body.replace(/"(id|encrypted_content|item_id|response_id|created|created_at|completed_at|system_fingerprint)":("[^"]*"|[\d.]+)/g, '"$1":0');
}
