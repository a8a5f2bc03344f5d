/** `bitmill doctor`: what this machine has, what it reaches at most, and which backend that makes. */
import { type Command, Option } from 'commander';
import {
  type Features,
  type MachineRates,
  RATE_NAMES,
  type Rate,
  type RateName,
} from '../../backends/index.ts';
import {
  chooseBackend,
  DEFAULT_BACKEND,
  type MachineFacts,
  machineFacts,
  measureMachine,
} from '../../platform/index.ts';
import { formatSize, printJson, table } from '../terminal.ts';

interface Flags {
  readonly measure: boolean;
  readonly json?: boolean;
}

const NOTES = `
Rates are peaks of one unit on registers alone, in multiplications and additions a second; memory is read, not copied.
They take about two seconds and are the best of several turns: what else runs meanwhile makes them smaller.
A level can be forced with --level in the commands that compute. BITMILL_NO_NATIVE=1 forbids koffi and machine code:
--backend auto then takes wasm, and says so.`;

/** What `auto` comes to. */
interface Choice {
  readonly backend: string;
  readonly level: string | null;
  readonly why: string;
}

async function choiceOfAuto(facts: MachineFacts): Promise<Choice> {
  const { name, level, fallback } = await chooseBackend('auto');
  const why = fallback ?? `the best level here: ${facts.levels.find((one) => one.name === level)?.why ?? ''}`;
  return { backend: name, level: level ?? null, why };
}

type Measured = Awaited<ReturnType<typeof measureMachine>> | undefined;

function ratesJson(measured: Measured) {
  if (measured === undefined) return { measured: null, not_measured: '--no-measure' };
  if ('reason' in measured) return { measured: null, not_measured: measured.reason };
  const { level, threads, bandwidth, rates } = measured;
  return {
    measured: {
      level,
      threads,
      bytes_per_second: bandwidth,
      operations_per_second: rates,
    },
  };
}

function reportJson(facts: MachineFacts, measured: Measured, choice: Choice) {
  const { memory, features, levels } = facts;
  return {
    cpu: facts.cpu,
    cores: facts.cores,
    available_cores: facts.availableCores,
    last_cache: facts.lastCache ?? null,
    page_size: memory.pageBytes,
    huge_pages: memory.hugePages ?? null,
    memory: { total: memory.total, available: memory.available, limit: memory.limit ?? null },
    koffi: facts.koffi ?? null,
    features: features ?? null,
    levels: levels.map(({ name, usable, why }) => ({ name, usable, why })),
    ...ratesJson(measured),
    default_backend: DEFAULT_BACKEND,
    auto: choice,
    gpu: null,
  };
}

const FEATURES = {
  avx2: 'AVX2',
  avxVnni: 'AVX-VNNI',
  avx512: 'AVX-512',
  avx512Vbmi: 'VBMI',
  avx512Bf16: 'BF16',
  amx: 'AMX',
} as const satisfies Record<keyof Features, string>;

function featuresText({ features, noFeatures }: MachineFacts): string {
  if (!features) return `not asked: ${noFeatures}`;
  const names = (Object.keys(FEATURES) as (keyof Features)[]).filter((name) => features[name]);
  return names.map((name) => FEATURES[name]).join(', ') || 'none that matter';
}

function factsText(facts: MachineFacts): string {
  const { cpu, cores, availableCores, lastCache, memory, koffi } = facts;
  const own = availableCores === cores ? '' : `, ${availableCores} for this process`;
  const cache = lastCache === undefined ? '' : `, last cache ${formatSize(lastCache)}`;
  const limit = memory.limit === undefined ? '' : `, limited to ${formatSize(memory.limit)}`;
  return table([
    ['processor', `${cpu}, ${cores} ${cores === 1 ? 'core' : 'cores'}${own}${cache}`],
    ['features', featuresText(facts)],
    ['memory', `${formatSize(memory.total)}, ${formatSize(memory.available)} available${limit}`],
    ['pages', `${memory.pageBytes} bytes, huge pages: ${memory.hugePages ?? 'unknown'}`],
    ['koffi', koffi ?? 'not installed'],
    ['GPU', 'not used'],
  ]);
}

function levelsText({ levels }: MachineFacts): string {
  return table([
    ['level', 'usable', ''],
    ...levels.map(({ name, usable, why }) => [name, usable ? 'yes' : 'no', why]),
  ]);
}

const LABELS = {
  f32: 'f32 multiply-add',
  int8: 'int8 products',
  bf16: 'bf16 products',
  amxInt8: 'AMX int8',
  amxBf16: 'AMX bf16',
} as const satisfies Record<RateName, string>;

function ratesText({ level, threads, bandwidth, rates }: MachineRates): string {
  const row = (label: string, unit: string, { one, all }: Rate): string[] => [
    label,
    ...[one, all].map((rate) => (rate / 1e9).toFixed(1)),
    unit,
  ];
  return table(
    [
      [`measured at ${level}`, '1 thread', threads === 1 ? 'all (1)' : `all ${threads}`, ''],
      row('memory read', 'GB/s', bandwidth),
      ...RATE_NAMES.flatMap((name) => {
        const rate = rates[name];
        const unit = name.toLowerCase().endsWith('int8') ? 'GOPS' : 'GFLOPS';
        return rate ? [row(LABELS[name], unit, rate)] : [];
      }),
    ],
    [1, 2],
  );
}

function choiceText({ backend, level, why }: Choice): string {
  const auto = `${backend}${level === null ? '' : ` at ${level}`}`;
  return `backend auto: ${auto} (${why})\nbackend without --backend: ${DEFAULT_BACKEND}`;
}

async function doctor({ measure, json }: Flags): Promise<void> {
  const facts = await machineFacts();
  const choice = await choiceOfAuto(facts);
  const measured = measure ? await measureMachine() : undefined;
  if (json) {
    printJson(reportJson(facts, measured, choice));
    return;
  }
  const rates = measured && ('reason' in measured ? `not measured: ${measured.reason}` : ratesText(measured));
  const parts = [factsText(facts), levelsText(facts), rates, choiceText(choice)];
  process.stdout.write(`${parts.filter((part) => part !== undefined).join('\n\n')}\n`);
}

export function defineDoctor(command: Command): void {
  command
    .name('doctor')
    .description('what this machine has for speed, its measured limits, and which backend is chosen')
    .addOption(new Option('--no-measure', 'say only what is known at once'))
    .option('--json', 'print JSON')
    .addHelpText('after', NOTES)
    .action(doctor);
}
