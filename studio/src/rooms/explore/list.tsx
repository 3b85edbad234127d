import { every, type Model } from "../../api/client";
import { BEGINNINGS_AND_ENDS, useNews } from "../../api/live";
import { may } from "../../api/session";
import { to } from "../../router";
import { useLoad } from "../../ui/load";
import { Empty, Progress } from "../../ui/parts";
import { ProblemNote } from "../../ui/problem";
import { counted } from "../../ui/words";
import { type Drawing, pictureAddress } from "./drawing";
import { pictureOfModel, pixelated } from "./found";
import { Scatter } from "./scatter";

/** All models, each with a picture that it makes. */
export function ModelList() {
  const { data, error, loading, reload } = useLoad((signal) => every<Model>("/v1/models", {}, 500, signal), []);
  useNews(BEGINNINGS_AND_ENDS, reload);
  return (
    <div class="stack">
      <h1>Explore</h1>
      <ProblemNote error={error} retry={reload} />
      {!may("sample") && <NoSampling />}
      {loading && !data && <Progress label="Reading the models" share={null} />}
      {data?.length === 0 && <NoModels />}
      {data && data.length > 0 && (
        <ul class="model-cards">
          {data.map((model) => (
            <ModelCard key={model.id} model={model} />
          ))}
        </ul>
      )}
    </div>
  );
}

function NoModels() {
  return (
    <Empty title="There is no model yet">
      <p>A model is made by training on a dataset; it can be explored while it still learns.</p>
      <a class="button primary" href={to("train")}>
        Train one
      </a>
    </Empty>
  );
}

export function NoSampling() {
  return (
    <p class="note">
      This key may not draw pictures. Its operator makes one that may with{" "}
      <code>ganymede keys create NAME --scope read --scope sample</code>.
    </p>
  );
}

function ModelCard({ model }: { model: Model }) {
  const seen = model.checkpoints[0]?.images;
  return (
    <li class="card">
      <a href={to("explore", model.name)}>
        <Face model={model} />
        <strong>{model.name}</strong>
      </a>
      <p class="quiet">
        {[`recipe ${model.recipe}`, model.dataset && `dataset ${model.dataset}`].filter(Boolean).join(", ")}
      </p>
      <p class="quiet number">
        {seen === undefined ? "no checkpoint yet" : `${counted(seen)} images seen`}
        {model.classes.length > 0 && `, ${counted(model.classes.length)} classes`}
      </p>
    </li>
  );
}

/** A picture that the model makes; nothing where it cannot or may not be drawn. */
function Face({ model }: { model: Model }) {
  const [newest] = model.checkpoints;
  const picture = pictureOfModel(model);
  if (!newest || !may("sample")) return <span class="face" />;
  const drawing: Drawing = { model: newest.id, label: null, truncation: 1, ema: null, condition: null };
  if (!picture) return <Scatter class="face" drawing={drawing} seed={0} count={500} size={320} alt="" />;
  return <img class={`face ${pixelated(picture)}`} src={pictureAddress(drawing, 0, "png")} alt="" loading="lazy" />;
}
