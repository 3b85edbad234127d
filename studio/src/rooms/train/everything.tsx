import { useEffect, useState } from "preact/hooks";
import { Field } from "../../ui/field";
import { wrongAt } from "../../ui/problem";
import { measured } from "../../ui/words";
import type { Given } from "./draft";
import type { Estimate } from "./estimating";
import { at, FIELDS, type FieldName, GROUPS, type Group, SETTINGS, type Setting, textOf } from "./settings";

interface Props {
  known: Estimate | null;
  given: Given;
  change: (given: Given) => void;
  error: Error | null;
  /** The recipe whose figures these are, where several are compared. */
  of: string | null;
}

/** Every other figure: what was chosen and why, and the person's own in its place where they want another. */
export function Everything(props: Props) {
  const { given, change, error, of } = props;
  const [open, setOpen] = useState(false);
  const wrong = FIELDS.some((field) => wrongAt(error, field));
  useEffect(() => {
    if (wrong) setOpen(true);
  }, [wrong]);
  const yours = Object.keys(given).length;
  return (
    <details class="part everything" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <h2>Everything else</h2>
        <span class="quiet">
          {yours ? `${yours} ${yours === 1 ? "figure is" : "figures are"} yours` : "chosen for you"}
        </span>
      </summary>
      <div class="row apart">
        <p class="quiet">
          Chosen by recipe, data and device, with the reason below each. Any can be yours instead.
          {of && ` These are the figures of ${of}; what you set goes for all that are compared.`}
        </p>
        {yours > 0 && (
          <button type="button" onClick={() => change({})}>
            Reset all
          </button>
        )}
      </div>
      {(Object.keys(GROUPS) as Group[]).map((group) => (
        <GroupOf key={group} group={group} {...props} />
      ))}
    </details>
  );
}

function GroupOf({ group, ...props }: Props & { group: Group }) {
  return (
    <section class="group">
      <h3>{GROUPS[group].title}</h3>
      <p class="quiet">{GROUPS[group].about}</p>
      <div class="figures">
        {FIELDS.filter((field) => SETTINGS[field].group === group).map((field) => (
          <Figure key={field} field={field} {...props} />
        ))}
      </div>
    </section>
  );
}

function Figure({ field, known, given, change, error }: Omit<Props, "of"> & { field: FieldName }) {
  const setting = SETTINGS[field];
  const own = given[field];
  const value = own ?? (textOf(known && at(known.spec, field)) || (setting.usual ?? ""));
  const set = (text: string): void => change({ ...given, [field]: text });
  const reset = (): void => {
    const { [field]: _, ...rest } = given;
    change(rest);
  };
  return (
    <div class={`figure-of ${own === undefined ? "" : "yours"}`}>
      <Field
        label={setting.label}
        hint={<Why setting={setting} field={field} known={known} own={own} />}
        wrong={wrongAt(error, field)}
      >
        {(attributes) => (
          <Control
            attributes={attributes}
            setting={setting}
            value={value}
            set={set}
            left={() => own === "" && reset()}
          />
        )}
      </Field>
      {own !== undefined && (
        <button type="button" class="plain reset" aria-label={`Reset ${setting.label}`} onClick={reset}>
          Reset
        </button>
      )}
    </div>
  );
}

interface ControlProps {
  attributes: object;
  setting: Setting;
  value: string;
  set: (text: string) => void;
  /** Called when the control loses the focus: one that was emptied is as it was. */
  left: () => void;
}

function Control({ attributes, setting, value, set, left }: ControlProps) {
  const options = setting.kind === "yes" ? ["yes", "no"] : setting.kind === "numbers" ? undefined : setting.kind;
  if (!options) {
    return (
      <input
        {...attributes}
        value={value}
        inputMode={setting.kind ? "text" : "decimal"}
        placeholder={setting.unset ?? ""}
        autocomplete="off"
        onInput={(event) => set(event.currentTarget.value)}
        onBlur={left}
      />
    );
  }
  return (
    <select {...attributes} value={value} onChange={(event) => set(event.currentTarget.value)}>
      {(options.includes(value) ? options : [value, ...options]).map((option) => (
        <option key={option} value={option}>
          {option.replaceAll("_", " ")}
        </option>
      ))}
    </select>
  );
}

/** A reason in the server's words, in which names stand between backticks. */
function Reason({ words }: { words: string }) {
  const parts = words.split("`");
  return <>Chosen: {parts.map((part, i) => (i % 2 ? <code key={part}>{part}</code> : part))}</>;
}

interface WhyProps {
  setting: Setting;
  field: FieldName;
  known: Estimate | null;
  own: string | undefined;
}

interface Spec {
  chosen?: Record<string, string>;
  schedules?: Record<string, { to: number; shape: string }>;
}

/** What the figure does, why it is what it is, and where it goes over the training. */
function Why({ setting, field, known, own }: WhyProps) {
  const { chosen, schedules } = (known?.spec ?? {}) as Spec;
  const move = schedules?.[field === "betas" ? "beta2" : field];
  const reason = chosen?.[field] ?? "the default";
  return (
    <>
      {setting.about}
      {move &&
        ` ${field === "betas" ? "The second moves" : "Moves"} to ${measured(move.to)} by the end (${move.shape}).`}
      {known && <span class="why"> {own === undefined ? <Reason words={reason} /> : "Yours"}</span>}
    </>
  );
}
