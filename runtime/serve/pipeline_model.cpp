#include "runtime/serve/pipeline_model.hpp"

#include <utility>

#include <caf/all.hpp>

#include "actors/support/end_actor.hpp"
#include "runtime/serve/pipeline_answers.hpp"
#include "runtime/serve/pipeline_watch.hpp"

namespace flowspec {

namespace {

class PipelineModel final : public ServedModel {
 public:
  PipelineModel(std::shared_ptr<PipelineAnswers> shared, ServedText text, ClusterState shape)
      : shared_(std::move(shared)),
        text_(std::move(text)),
        watch_(spawn_watch(shared_, std::move(shape))) {}
  ~PipelineModel() override { end_actor(watch_); }
  PipelineModel(const PipelineModel&) = delete;
  PipelineModel& operator=(const PipelineModel&) = delete;

  const ServedText& text() const override { return text_; }

  void answer(PreparedAnswer prepared, std::shared_ptr<HttpReply> reply) override {
    spawn_answer(shared_, std::move(prepared), std::move(reply));
  }
  void watch(std::shared_ptr<HttpReply> reply) override { look(PipelineLook::What::events, reply); }
  void show_cluster(std::shared_ptr<HttpReply> reply) override {
    look(PipelineLook::What::cluster, reply);
  }
  void show_metrics(std::shared_ptr<HttpReply> reply) override {
    look(PipelineLook::What::metrics, reply);
  }
  std::string loss() const override { return shared_->loss(); }

  void end_answers() override {
    stop_answers(*shared_);
    // Those who watch would do so for ever.
    end_actor(watch_);
  }

 private:
  void look(PipelineLook::What what, const std::shared_ptr<HttpReply>& reply) {
    caf::anon_send(watch_, PipelineLook{what, reply});
  }

  std::shared_ptr<PipelineAnswers> shared_;
  ServedText text_;
  caf::actor watch_;
};

}  // namespace

std::shared_ptr<ServedModel> make_pipeline_model(caf::actor_system& system,
                                                 const CoordinatorActor& coordinator,
                                                 ServedText text, ClusterState shape,
                                                 openai::Metrics& metrics,
                                                 const PipelineModelOptions& options) {
  auto model = text.settings().model;
  auto shared = std::make_shared<PipelineAnswers>(system, coordinator, metrics, model,
                                                  options.most_running, options.most_waiting);
  return std::make_shared<PipelineModel>(std::move(shared), std::move(text), std::move(shape));
}

}  // namespace flowspec
