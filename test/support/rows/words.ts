import type { Random } from './random.ts';

const split = (text: string): string[] => text.trim().split(/\s+/);

/** The first and second halves of owner names. */
const OWNER_STARTS = split(`
  acorn amber basalt birch cedar cinder cobalt coral delphi ember fathom fjord garnet glacier harbor
  hazel indigo iris juniper kestrel krill lumen lynx marlow mesa nimbus north opaline orchid pewter
  pine quarry quill raven ridge solace spruce timber tundra umber vesper violet willow wren yarrow
  yonder zephyr zinc
`);
const OWNER_ENDS = split(`
  labs works soft tech data cloud stack forge base dev hq studio systems ware bytes loop kit team
  analytics robotics
`);

/** The subjects of servers. */
export const THINGS = split(`
  calendar invoice weather search notes kanban ledger mail database browser translate maps metrics
  storage diagram payroll archive camera chess recipes tickets billing crm forms surveys contracts
  genomics shipping inventory wiki docs playlist podcast vision speech sensors telescope brokerage
  portfolio lottery transit flights hotels legal patents arxiv sql vector graph cache queue secrets
  deploy terraform kubernetes logs traces alerts feature-flags changelog spreadsheet slides pdf ocr
`);

const WORDS = split(`
  lets agents read write search list create update delete manage query fetch analyze summarize
  records files tables events messages documents tickets prices reports invoices customers projects
  issues branches commits pipelines deployments containers clusters metrics logs traces dashboards
  through official hosted local remote secure typed simple fast lightweight server client gateway
  bridge proxy wrapper toolkit integration connector adapter with and from your their team account
  workspace API SDK CLI SQL REST GraphQL OAuth JSON Markdown PDF Kubernetes Postgres Redis Docker
  real-time semantic structured natural language context memory retrieval embeddings vector graph
  knowledge planning reasoning automation workflow orchestration monitoring compliance privacy
  financial medical scientific geospatial multilingual enterprise community free open source
  across over any all more than without optional support built powered enables provides access
`);
/** Words in other scripts, and characters with more than one UTF-16 unit. */
const FOREIGN = split(
  'für données búsqueda поиск 検索 数据 서버 → – — … “smart” ’s é naïve 🚀 🔍 ⚡ 🧠',
);

export function owner(random: Random): string {
  const joined = random.next() < 0.15 ? '-' : '';
  const name = `${random.pick(OWNER_STARTS)}${joined}${random.pick(OWNER_ENDS)}`;
  const numbered = random.next() < 0.2 ? `${name}${random.below(100)}` : name;
  return random.next() < 0.15
    ? numbered.replace(/^.|-./g, (start) => start.toUpperCase())
    : numbered;
}

/** Returns a text of at most this many characters that does not end in the middle of a word. */
export function sentence(random: Random, atMost: number): string {
  const foreign = random.next() < 0.18 ? 0.12 : 0;
  let text = random.pick(WORDS).replace(/^./, (first) => first.toUpperCase());
  for (;;) {
    const word = random.pick(random.next() < foreign ? FOREIGN : WORDS);
    if (text.length + 1 + word.length > atMost) return text;
    text += `${random.next() < 0.08 ? ',' : ''} ${word}`.slice(0, atMost - text.length);
  }
}

/** Returns two or three words, joined as in the names of environment variables. */
export function variableName(random: Random): string {
  const words = [
    random.pick(THINGS),
    random.pick(WORDS),
    random.pick(['key', 'url', 'token', 'mode']),
  ];
  return words.join('_').replaceAll('-', '_').toUpperCase();
}
